"""All rows of studies but their blobs: read for several at once, sealed, and held against their seals."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from edge_retrieve.runtime.store.seals import Terms, damaged

_SEALED_AT_ONCE = 256
_Rows = dict[int, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class StudyRows:
    """All rows of a study but its blobs, as SQLite returns them.

    Parameters
    ----------
    study : tuple
        Number, identifier, patient, date, sex, age.
    images : tuple of tuple
        Number, SOP instance, SHA-256 of the pixels, source, view, width, height, flags, applied, indexed.
    report : tuple or None
        Number, text, places.
    sentences : tuple of tuple
        Position, section, text, regions.
    findings : tuple of tuple
        Position, mention, finding, assertion, region.
    accession : str
        Number of the order; empty where there is none.
    """

    study: tuple[Any, ...]
    images: tuple[tuple[Any, ...], ...]
    report: tuple[Any, ...] | None
    sentences: tuple[tuple[Any, ...], ...]
    findings: tuple[tuple[Any, ...], ...]
    accession: str = ""

    def checksum(self, terms: Terms) -> int:
        """Return the CRC-32 of all of it."""
        # `ascii`: the same text in every Python, whatever characters it calls printable.
        order = (self.accession,) if self.accession else ()
        held = ascii((self.study, self.images, self.report, self.sentences, self.findings, *order))
        return zlib.crc32(held.encode(), terms.start("study"))


# One statement a table for all studies asked for, whose numbers are one JSON list: another statement takes
# ten times as long as another row.
AMONG = "IN (SELECT value FROM json_each(?))"
"""The condition for a column to be among the numbers of a JSON list."""

_STUDIES = f"SELECT id, study, patient, study_date, sex, age FROM studies WHERE id {AMONG}"
_ORDERS = f"SELECT study, accession FROM orders WHERE study {AMONG}"
_REPORTS = f"SELECT study, id, text, places FROM reports WHERE study {AMONG}"
_IMAGES = (
    "SELECT study, id, sop_instance, pixels_sha256, source, view, width, height, flags, applied, indexed"
    f" FROM images WHERE study {AMONG} ORDER BY study, indexed DESC, id"
)
_SENTENCES = (
    "SELECT report, position, section, text, regions FROM sentences"
    f" WHERE report {AMONG} ORDER BY report, position"
)
_FINDINGS = (
    "SELECT report, position, mention, finding, assertion, region FROM findings"
    f" WHERE report {AMONG} ORDER BY report, position, mention, region"
)
_SEALS = f"SELECT study, checksum FROM study_seals WHERE study {AMONG}"


def study_rows(db: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, StudyRows]:
    """Return the rows of studies by their numbers; where there is no such study it is left out."""
    studies = {row[0]: row for row in db.execute(_STUDIES, (json.dumps(list(numbers)),))}
    named = json.dumps(list(studies))
    orders = dict(db.execute(_ORDERS, (named,)).fetchall())
    reports = {row[0]: row[1:] for row in db.execute(_REPORTS, (named,))}
    images = _grouped(db, _IMAGES, named)
    written = json.dumps([report[0] for report in reports.values()])
    sentences, findings = (_grouped(db, of, written) for of in (_SENTENCES, _FINDINGS))
    rows = {}
    for number in dict.fromkeys(numbers):
        if number not in studies:
            continue
        report = reports.get(number)
        said = ((), ()) if report is None else (sentences[report[0]], findings[report[0]])
        rows[number] = StudyRows(
            study=studies[number],
            images=tuple(images[number]),
            report=report,
            sentences=tuple(said[0]),
            findings=tuple(said[1]),
            accession=orders.get(number, ""),
        )
    return rows


def _grouped(db: sqlite3.Connection, statement: str, keys: str) -> _Rows:
    """Return what follows the first column, by the first."""
    found: _Rows = defaultdict(list)
    for row in db.execute(statement, (keys,)):
        found[row[0]].append(row[1:])
    return found


def seal_studies(db: sqlite3.Connection, numbers: Iterable[int], terms: Terms) -> None:
    """Note the checksums of studies as they are now."""
    rest = iter(numbers)
    while some := list(islice(rest, _SEALED_AT_ONCE)):
        db.executemany(
            "INSERT INTO study_seals VALUES (?, ?)"
            " ON CONFLICT (study) DO UPDATE SET checksum = excluded.checksum",
            [(number, rows.checksum(terms)) for number, rows in study_rows(db, some).items()],
        )


def verified_studies(db: sqlite3.Connection, numbers: Sequence[int], terms: Terms) -> dict[int, StudyRows]:
    """Return what `study_rows` does, each study compared with its checksum.

    Raises
    ------
    StoreError
        Where one does not match.
    """
    found = study_rows(db, numbers)
    sealed = dict(db.execute(_SEALS, (json.dumps(list(found)),)).fetchall())
    for number, rows in found.items():
        if sealed.get(number) != rows.checksum(terms):
            raise damaged(f"the study '{rows.study[1]}' does not match its checksum")
    return found
