"""Statements that read studies, images, reports and vectors back."""

from __future__ import annotations

import json
import sqlite3
from itertools import groupby

import numpy as np

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.preprocess.types import Flag, View
from edge_retrieve.runtime.reports import Mention, ParsedReport, Section, Sentence
from edge_retrieve.runtime.store.records import (
    FloatArray,
    StoredImage,
    StoreStats,
    StudyRecord,
    StudySummary,
    Vectors,
)
from edge_retrieve.runtime.store.writing import WHOLE

# Where a modality's vectors lie, and what joins their owners to studies.
_VECTOR_TABLES = {
    Modality.IMAGE: ("image_embeddings", "images"),
    Modality.TEXT: ("text_embeddings", "reports"),
}


def read_study(db: sqlite3.Connection, study: str) -> StudyRecord | None:
    """Return a study by its identifier, None where unknown."""
    row = db.execute(
        "SELECT id, study, patient, study_date, sex, age FROM studies WHERE study = ?", (study,)
    ).fetchone()
    if row is None:
        return None
    number, identifier, patient, study_date, sex, age = row
    report = db.execute("SELECT id, text FROM reports WHERE study = ?", (number,)).fetchone()
    return StudyRecord(
        study=identifier,
        patient=patient,
        study_date=study_date,
        sex=sex,
        age=age,
        report="" if report is None else report[1],
        parsed=ParsedReport(()) if report is None else _read_parsed(db, report[0]),
        images=_read_images(db, number),
    )


def _read_images(db: sqlite3.Connection, study: int) -> tuple[StoredImage, ...]:
    images = []
    for number, sop, sha256, source, view, width, height, flags, applied, indexed in db.execute(
        "SELECT id, sop_instance, pixels_sha256, source, view, width, height, flags, applied, indexed"
        " FROM images WHERE study = ? ORDER BY indexed DESC, id",
        (study,),
    ):
        by_region = {
            Region(region): (Box(*edges), score)
            for region, *edges, score in db.execute(
                "SELECT region, x1, y1, x2, y2, score FROM boxes WHERE image = ?", (number,)
            )
        }
        found = [by_region[region] for region in Region if region in by_region]
        images.append(
            StoredImage(
                sop_instance=sop,
                pixels_sha256=sha256,
                source=source,
                view=View(view),
                width=width,
                height=height,
                flags=tuple(Flag(flag) for flag in json.loads(flags)),
                applied=tuple(json.loads(applied)),
                indexed=bool(indexed),
                boxes=tuple(box for box, _ in found),
                box_scores=tuple(score for _, score in found),
            )
        )
    return tuple(images)


def _read_parsed(db: sqlite3.Connection, report: int) -> ParsedReport:
    mentions: dict[int, list[Mention]] = {}
    rows = db.execute(
        "SELECT position, mention, finding, assertion, region FROM findings WHERE report = ?"
        " ORDER BY position, mention",
        (report,),
    )
    for (position, _), group in groupby(rows, key=lambda row: row[:2]):
        members = list(group)
        named = {region for *_, region in members} - {WHOLE}
        mentions.setdefault(position, []).append(
            Mention(
                Finding(members[0][2]),
                Assertion(members[0][3]),
                tuple(region for region in Region if region.value in named),
            )
        )
    return ParsedReport(
        tuple(
            Sentence(
                text,
                Section(section),
                tuple(Region(name) for name in json.loads(regions)),
                tuple(mentions.get(position, ())),
            )
            for position, section, text, regions in db.execute(
                "SELECT position, section, text, regions FROM sentences WHERE report = ? ORDER BY position",
                (report,),
            )
        )
    )


def read_summaries(db: sqlite3.Connection, limit: int, offset: int, search: str) -> tuple[StudySummary, ...]:
    """Return studies in the order stored; `search` looks in identifiers, reports and findings."""
    where, values = _search_clause(search)
    rows = db.execute(
        f"SELECT s.id, s.study, s.patient, s.study_date, s.sex, s.age FROM studies s {where}"
        " ORDER BY s.id LIMIT ? OFFSET ?",
        (*values, limit, offset),
    ).fetchall()
    summaries = []
    for number, study, patient, study_date, sex, age in rows:
        image = db.execute(
            "SELECT view, indexed FROM images WHERE study = ? ORDER BY indexed DESC, id LIMIT 1", (number,)
        ).fetchone()
        view, indexed = image or (View.UNKNOWN.value, 0)
        report = db.execute("SELECT id FROM reports WHERE study = ?", (number,)).fetchone()
        present = db.execute(
            "SELECT finding FROM findings WHERE report = ? AND assertion = ? ORDER BY position, mention",
            (report[0] if report else -1, Assertion.PRESENT.value),
        )
        findings = tuple(dict.fromkeys(Finding(name) for (name,) in present))
        summaries.append(
            StudySummary(
                study=study,
                patient=patient,
                study_date=study_date,
                sex=sex,
                age=age,
                view=View(view),
                findings=findings,
                has_report=report is not None,
                indexed=bool(indexed),
            )
        )
    return tuple(summaries)


def count_studies(db: sqlite3.Connection, search: str) -> int:
    """Return how many studies `read_summaries` would list without a limit."""
    where, values = _search_clause(search)
    (count,) = db.execute(f"SELECT count(*) FROM studies s {where}", values).fetchone()
    return int(count)


def _search_clause(search: str) -> tuple[str, tuple[str, ...]]:
    words = search.split()
    clause = (
        "(s.study || ' ' || s.patient || ' ' || s.study_date) LIKE ? ESCAPE '\\'"
        " OR s.id IN (SELECT r.study FROM report_words w JOIN reports r ON r.id = w.rowid"
        " WHERE w.report_words MATCH ?)"
        " OR s.id IN (SELECT r.study FROM findings f JOIN reports r ON r.id = f.report"
        " WHERE f.assertion = 'present' AND (f.finding || ' ' || f.region) LIKE ? ESCAPE '\\')"
    )
    patterns = []
    for word in words:
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        # Quoted, or FTS5 would read operators into it; '*': words that begin so.
        quoted = '"' + word.replace('"', '""') + '"*'
        patterns += [f"%{escaped}%", quoted, f"%{escaped}%"]
    return ("WHERE " + " AND ".join(f"({clause})" for _ in words) if words else "", tuple(patterns))


def read_vectors(
    db: sqlite3.Connection, modality: Modality, region: Region | None, after: int, dim: int
) -> Vectors:
    """Return the vectors of one partition whose owners' numbers are above `after`, ascending."""
    table, owners = _VECTOR_TABLES[modality]
    rows = db.execute(
        f"SELECT e.owner, o.study, e.vector FROM {table} e JOIN {owners} o ON o.id = e.owner"
        " WHERE e.region = ? AND e.owner > ? ORDER BY e.owner",
        (WHOLE if region is None else region.value, after),
    ).fetchall()
    joined = b"".join(row[2] for row in rows)
    return Vectors(
        owners=np.asarray([row[0] for row in rows], dtype=np.int64),
        studies=np.asarray([row[1] for row in rows], dtype=np.int64),
        rows=np.frombuffer(joined, dtype="<f4").astype(np.float32, copy=False).reshape(-1, dim),
    )


def read_study_vectors(
    db: sqlite3.Connection, study: int, modality: Modality
) -> dict[Region | None, FloatArray]:
    """Return a study's own embeddings by region, None for the whole; of its first searched image."""
    table, owners = _VECTOR_TABLES[modality]
    condition = " AND indexed" if modality is Modality.IMAGE else ""
    owner = db.execute(
        f"SELECT id FROM {owners} WHERE study = ?{condition} ORDER BY id LIMIT 1", (study,)
    ).fetchone()
    return {
        Region(name) if name else None: np.frombuffer(blob, dtype="<f4").astype(np.float32)
        for name, blob in db.execute(f"SELECT region, vector FROM {table} WHERE owner = ?", owner or (-1,))
    }


def read_stats(db: sqlite3.Connection, bundle_id: str, model_id: str) -> StoreStats:
    """Count what is in the store."""

    def one(sql: str) -> int:
        return int(db.execute(sql).fetchone()[0])

    return StoreStats(
        studies=one("SELECT count(*) FROM studies"),
        patients=one("SELECT count(DISTINCT patient) FROM studies"),
        images=one("SELECT count(*) FROM images"),
        indexed_images=one("SELECT count(*) FROM images WHERE indexed"),
        reports=one("SELECT count(*) FROM reports"),
        sentences=one("SELECT count(*) FROM sentences"),
        findings=one(
            "SELECT count(*) FROM"
            " (SELECT DISTINCT report, position, mention FROM findings WHERE assertion = 'present')"
        ),
        embeddings=one("SELECT count(*) FROM image_embeddings") + one("SELECT count(*) FROM text_embeddings"),
        bytes=one("PRAGMA page_count") * one("PRAGMA page_size"),
        bundle_id=bundle_id,
        model_id=model_id,
        schema_version=one("PRAGMA user_version"),
        unerased=one(
            "SELECT count(*) FROM tombstones WHERE id >"
            " coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'erased'), 0)"
        ),
    )
