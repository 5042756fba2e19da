"""Findings: the closed vocabulary, the words for it, and how a sentence asserts or denies it."""

from edge_retrieve.runtime.findings.vocabulary import Assertion, Finding

__all__ = ["Assertion", "Finding"]
