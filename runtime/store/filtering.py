"""Statements that look many studies up at once: those that meet filters, and who studies are of."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from edge_retrieve.runtime.filters import Filters

_AT_ONCE = 500  # SQLite takes 999 parameters where it is old


def matching(db: sqlite3.Connection, filters: Filters) -> list[int]:
    """Return the numbers of the studies that meet filters, ascending."""
    clauses: list[str] = []
    values: list[str | float] = []

    def among(expression: str, allowed: Sequence[str]) -> str:
        values.extend(allowed)
        return f"{expression} IN ({', '.join('?' * len(allowed))})"

    if filters.findings:
        inner = among("f.finding", [finding.value for finding in filters.findings])
        clauses.append(
            "s.id IN (SELECT r.study FROM findings f JOIN reports r ON r.id = f.report"
            f" WHERE {inner} AND f.assertion = 'present')"
        )
    if filters.views:
        inner = among("i.view", [view.value for view in filters.views])
        clauses.append(f"s.id IN (SELECT i.study FROM images i WHERE {inner})")
    if filters.sexes:
        clauses.append(among("s.sex", filters.sexes))
    for limit, comparison in ((filters.age_from, "s.age >= ?"), (filters.age_to, "s.age <= ?")):
        if limit is not None:
            clauses.append(comparison)
            values.append(limit)
    for date, comparison in (
        (filters.date_from, "s.study_date >= ?"),
        (filters.date_to, "s.study_date <= ?"),
    ):
        if date:
            # An unknown date is an empty text, which comes before every date.
            clauses.append(f"s.study_date <> '' AND {comparison}")
            values.append(date)
    if filters.exclude_patients:
        clauses.append(f"NOT {among('s.patient', filters.exclude_patients)}")
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    rows = db.execute(f"SELECT s.id FROM studies s {where} ORDER BY s.id", values)
    return [number for (number,) in rows]


def patients_of(db: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Return the patients of studies by their numbers; unknown ones are left out."""
    found: dict[int, str] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        part = list(numbers[start : start + _AT_ONCE])
        marks = ", ".join("?" * len(part))
        found.update(db.execute(f"SELECT id, patient FROM studies WHERE id IN ({marks})", part).fetchall())
    return found
