"""Statements that read studies, images, reports and vectors back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.preprocess.types import Flag, View
from edge_retrieve.runtime.reports import Mention, ParsedReport, Section, Sentence
from edge_retrieve.runtime.store.embeddings import FloatArray, Vectors
from edge_retrieve.runtime.store.records import StoredImage, StoreStats, StudyRecord, StudySummary
from edge_retrieve.runtime.store.seals import Terms, damaged, owner_start, unseal
from edge_retrieve.runtime.store.study_rows import AMONG, StudyRows, verified_studies
from edge_retrieve.runtime.store.worklist import ORDERS, Worklist, conditions
from edge_retrieve.runtime.store.writing import WHOLE, place_bit, vectors_start

# What tells, from narrow indexes alone, which images or reports have an embedding in a place.
_OWNERS = {
    Modality.IMAGE: "images o INDEXED BY images_searched LEFT JOIN image_embeddings e",
    Modality.TEXT: "reports o INDEXED BY reports_by_place LEFT JOIN text_embeddings e",
}
_HAVING = {Modality.IMAGE: "o.indexed AND ?", Modality.TEXT: "o.places & ?"}
_NO_IMAGE = (View.UNKNOWN.value, 0, 0, "", "", 0)
_BOX_NUMBERS = 5  # four edges and the score
BoxEdges = npt.NDArray[np.float64]
_NO_BOXES: BoxEdges = np.zeros((0, _BOX_NUMBERS))


def read_study(db: sqlite3.Connection, study: str, terms: Terms) -> StudyRecord | None:
    """Return a study by its identifier, None where unknown.

    Raises
    ------
    StoreError
        Where it is damaged.
    """
    found = db.execute("SELECT id FROM studies WHERE study = ?", (study,)).fetchone()
    record = None if found is None else read_studies(db, found, terms).get(found[0])
    if record is not None and record.study != study:
        raise damaged(f"where the study '{study}' should be, there is another")
    return record


def read_studies(db: sqlite3.Connection, numbers: Sequence[int], terms: Terms) -> dict[int, StudyRecord]:
    """Return studies by their numbers; where there is no such study it is left out.

    Raises
    ------
    StoreError
        Where one is damaged.
    """
    found = verified_studies(db, numbers, terms)
    searched = [row[0] for rows in found.values() for row in rows.images if row[9]]
    edges = read_boxes(db, searched, terms)
    return {number: _record(rows, edges) for number, rows in found.items()}


def _record(rows: StudyRows, edges: Mapping[int, BoxEdges]) -> StudyRecord:
    _, identifier, patient, study_date, sex, age = rows.study
    return StudyRecord(
        study=identifier,
        patient=patient,
        study_date=study_date,
        sex=sex,
        age=age,
        report="" if rows.report is None else rows.report[1],
        parsed=_parsed(rows),
        images=tuple(_image(row, edges.get(row[0], _NO_BOXES)) for row in rows.images),
        accession=rows.accession,
    )


def _image(row: tuple[Any, ...], edges: BoxEdges) -> StoredImage:
    _, sop, sha256, source, view, width, height, flags, applied, indexed = row
    return StoredImage(
        sop_instance=sop,
        pixels_sha256=sha256,
        source=source,
        view=View(view),
        width=width,
        height=height,
        flags=tuple(Flag(flag) for flag in json.loads(flags)),
        applied=tuple(json.loads(applied)),
        indexed=bool(indexed),
        boxes=tuple(Box(*box) for box in edges[:, :4].tolist()),
        box_scores=tuple(edges[:, 4].tolist()),
    )


def read_boxes(db: sqlite3.Connection, images: Sequence[int], terms: Terms) -> dict[int, BoxEdges]:
    """Return images' boxes and their scores, shape [29, 5], by the images' numbers.

    Raises
    ------
    StoreError
        Where some are missing or damaged.
    """
    held = dict(
        db.execute(
            f"SELECT image, edges FROM boxes WHERE generation = ? AND image {AMONG}",
            (terms.generation, json.dumps(list(images))),
        ).fetchall()
    )
    return {
        image: np.frombuffer(
            unseal(held.get(image), terms.start("boxes", terms.generation, image), f"boxes of image {image}"),
            "<f8",
        ).reshape(len(REGIONS), _BOX_NUMBERS)
        for image in images
    }


def _parsed(rows: StudyRows) -> ParsedReport:
    mentions: dict[int, list[Mention]] = {}
    for (position, _), group in groupby(rows.findings, key=lambda row: row[:2]):
        members = list(group)
        _, _, finding, assertion, _ = members[0]
        named = frozenset(row[4] for row in members)
        mentions.setdefault(position, []).append(_mention(finding, assertion, named))
    return ParsedReport(
        tuple(
            Sentence(
                text,
                Section(section),
                _regions(regions),
                tuple(mentions.get(position, ())),
            )
            for position, section, text, regions in rows.sentences
        )
    )


# Reports say few things in many words: what they say is made out once for all of them.
@lru_cache(maxsize=8192)
def _mention(finding: str, assertion: str, named: frozenset[str]) -> Mention:
    regions = sorted(map(Region, named - {WHOLE}), key=REGIONS.index)
    return Mention(Finding(finding), Assertion(assertion), tuple(regions))


@lru_cache(maxsize=8192)
def _regions(named: str) -> tuple[Region, ...]:
    return tuple(Region(name) for name in json.loads(named))


def read_summaries(
    db: sqlite3.Connection, limit: int, offset: int, wanted: Worklist, terms: Terms
) -> tuple[StudySummary, ...]:
    """Return a page of a list of studies.

    Raises
    ------
    StoreError
        Where one is damaged.
    """
    where, values = conditions(wanted)
    found = db.execute(
        f"SELECT s.id FROM studies s {where} ORDER BY {ORDERS[wanted.order]} LIMIT ? OFFSET ?",
        (*values, limit, offset),
    ).fetchall()
    listed = verified_studies(db, [number for (number,) in found], terms)
    summaries = []
    for (number,) in found:
        if number not in listed:
            raise damaged(f"the study with the number {number} cannot be read")
        rows = listed[number]
        _, study, patient, study_date, sex, age = rows.study
        *_, view, _, _, _, _, indexed = rows.images[0] if rows.images else _NO_IMAGE
        present = [row[2] for row in rows.findings if row[3] == Assertion.PRESENT.value]
        summaries.append(
            StudySummary(
                study=study,
                patient=patient,
                study_date=study_date,
                sex=sex,
                age=age,
                view=View(view),
                findings=tuple(dict.fromkeys(Finding(name) for name in present)),
                has_report=rows.report is not None,
                indexed=bool(indexed),
                accession=rows.accession,
            )
        )
    return tuple(summaries)


def count_studies(db: sqlite3.Connection, wanted: Worklist) -> int:
    """Return how many studies `read_summaries` would list without a limit.

    Raises
    ------
    StoreError
        Where there are not as many as there are checksums of studies.
    """
    where, values = conditions(wanted)
    (count,) = db.execute(f"SELECT count(*) FROM studies s {where}", values).fetchone()
    (sealed,) = db.execute("SELECT count(*) FROM study_seals").fetchone()
    if not where and count != sealed:
        raise damaged(f"it holds {count} studies in place of {sealed}")
    return int(count)


def read_vectors(
    db: sqlite3.Connection, modality: Modality, region: Region | None, after: int, terms: Terms
) -> Vectors:
    """Return the vectors of one partition whose owners' numbers are above `after`, ascending.

    Raises
    ------
    StoreError
        Where one is missing or damaged, or there is one too many.
    """
    place = WHOLE if region is None else region.value
    rows = db.execute(
        f"SELECT o.id, o.study, e.vector FROM {_OWNERS[modality]}"
        " ON e.generation = ? AND e.region = ? AND e.owner = o.id"
        f" WHERE {_HAVING[modality]} AND o.id > ? ORDER BY o.id",
        (terms.generation, place, place_bit(region), after),
    ).fetchall()
    (count,) = db.execute(
        f"SELECT count(*) FROM {modality.value}_embeddings WHERE generation = ? AND region = ? AND owner > ?",
        (terms.generation, place, after),
    ).fetchone()
    name = f"{modality.value} embeddings of {place or 'the whole'}"
    if count != len(rows):
        raise damaged(f"it holds {count} {name} in place of {len(rows)}")
    start = vectors_start(terms, modality, place)
    blobs = [
        unseal(sealed, owner_start(start, owner), f"one of the {name} ({owner})") for owner, _, sealed in rows
    ]
    return Vectors(
        owners=np.asarray([row[0] for row in rows], dtype=np.int64),
        studies=np.asarray([row[1] for row in rows], dtype=np.int64),
        rows=np.frombuffer(b"".join(blobs), "<f4").astype(np.float32, copy=False).reshape(-1, terms.dim),
    )


def read_study_vectors(
    db: sqlite3.Connection, study: int, modality: Modality, terms: Terms
) -> dict[Region | None, FloatArray]:
    """Return a study's own embeddings by region, None for the whole; of its first searched image.

    Raises
    ------
    StoreError
        Where one is damaged.
    """
    owners, condition = ("images", " AND indexed") if modality is Modality.IMAGE else ("reports", "")
    owner = db.execute(
        f"SELECT id FROM {owners} WHERE study = ?{condition} ORDER BY id LIMIT 1", (study,)
    ).fetchone()
    if owner is None:
        return {}
    found = {}
    for place, sealed in db.execute(
        f"SELECT region, vector FROM {modality.value}_embeddings WHERE owner = ? AND generation = ?",
        (owner[0], terms.generation),
    ):
        start = owner_start(vectors_start(terms, modality, place), owner[0])
        blob = unseal(sealed, start, f"an embedding of {modality.value} {owner[0]}")
        found[Region(place) if place else None] = np.frombuffer(blob, "<f4").astype(np.float32)
    return found


def read_stats(db: sqlite3.Connection, bundle_id: str, model_id: str, terms: Terms) -> StoreStats:
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
        embeddings=sum(
            one(f"SELECT count(*) FROM {modality.value}_embeddings WHERE generation = {terms.generation}")
            for modality in Modality
        ),
        bytes=one("PRAGMA page_count") * one("PRAGMA page_size"),
        bundle_id=bundle_id,
        model_id=model_id,
        schema_version=one("PRAGMA user_version"),
        unerased=one(
            "SELECT count(*) FROM tombstones WHERE id >"
            " coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'erased'), 0)"
        ),
    )
