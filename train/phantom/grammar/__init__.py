"""The words phantom reports are made of: sentence templates, part of them kept for test reports alone."""

from edge_retrieve.train.phantom.grammar.bank import Bank, bank_of
from edge_retrieve.train.phantom.grammar.slots import as_sentence, fill
from edge_retrieve.train.phantom.grammar.templates import Templates

__all__ = ["Bank", "Templates", "as_sentence", "bank_of", "fill"]
