"""What a report says: sentences, and per sentence the findings, their assertion and their regions."""

from edge_retrieve.runtime.reports.parse import parse_report, parse_sentence
from edge_retrieve.runtime.reports.partition import text_by_region
from edge_retrieve.runtime.reports.types import Mention, ParsedReport, Section, Sentence

__all__ = [
    "Mention",
    "ParsedReport",
    "Section",
    "Sentence",
    "parse_report",
    "parse_sentence",
    "text_by_region",
]
