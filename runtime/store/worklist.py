"""Which studies a list holds, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Order(str, Enum):
    """The order of a list of studies."""

    STORED = "stored"
    NEWEST = "newest"


ORDERS: Mapping[Order, str] = {
    Order.STORED: "s.id",
    # An unknown date is an empty text, which comes last.
    Order.NEWEST: "s.study_date DESC, s.id DESC",
}


@dataclass(frozen=True)
class Worklist:
    """Which studies are listed: those that meet all that is given.

    Parameters
    ----------
    search : str
        Words that must all occur in the identifiers, date, report or findings.
    patient, accession : str
        Parts of the patient's identifier and of the order's number.
    date_from, date_to : str
        ``YYYYMMDD``, both included.
    order : Order
    """

    search: str = ""
    patient: str = ""
    accession: str = ""
    date_from: str = ""
    date_to: str = ""
    order: Order = Order.STORED


def conditions(wanted: Worklist) -> tuple[str, tuple[str, ...]]:
    """Return the WHERE clause about ``studies s``, empty where all are listed, and its values."""
    clauses: list[str] = []
    values: list[str] = []
    # SQLite would take a NUL for a pattern's end, and find everything.
    for word in wanted.search.replace("\0", "\ufffd").split():
        clauses.append(
            "((s.study || ' ' || s.patient || ' ' || s.study_date) LIKE ? ESCAPE '\\'"
            " OR s.id IN (SELECT o.study FROM orders o WHERE o.accession LIKE ? ESCAPE '\\')"
            " OR s.id IN (SELECT r.study FROM report_words w JOIN reports r ON r.id = w.rowid"
            " WHERE w.report_words MATCH ?)"
            " OR s.id IN (SELECT r.study FROM findings f JOIN reports r ON r.id = f.report"
            " WHERE f.assertion = 'present' AND (f.finding || ' ' || f.region) LIKE ? ESCAPE '\\'))"
        )
        # Quoted, or FTS5 would read operators into it; '*': words that begin so.
        quoted = '"' + word.replace('"', '""') + '"*'
        values += [_within(word), _within(word), quoted, _within(word)]
    if wanted.patient:
        clauses.append("s.patient LIKE ? ESCAPE '\\'")
        values.append(_within(wanted.patient))
    if wanted.accession:
        clauses.append("s.id IN (SELECT o.study FROM orders o WHERE o.accession LIKE ? ESCAPE '\\')")
        values.append(_within(wanted.accession))
    for date, comparison in ((wanted.date_from, ">="), (wanted.date_to, "<=")):
        if date:
            # An unknown date is an empty text, which comes before every date.
            clauses.append(f"(s.study_date <> '' AND s.study_date {comparison} ?)")
            values.append(date)
    return ("WHERE " + " AND ".join(clauses) if clauses else "", tuple(values))


def _within(text: str) -> str:
    """Return the LIKE pattern of what contains a text."""
    escaped = text.replace("\0", "\ufffd").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
