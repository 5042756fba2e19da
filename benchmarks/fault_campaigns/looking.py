"""Comparing a store with what is known to have gone in: nothing lost or half there, every answer right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.errors import UnknownStudyError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.store import Fate, Store
from fault_campaigns.archive import NO_REPORT, Archive

K = 10
PLACES = (None, Region.RIGHT_UPPER_LUNG_ZONE, Region.CARINA, Region.LEFT_LOWER_LUNG_ZONE)
GONE = -2  # in place of a report's version: the study was deleted


@dataclass(frozen=True)
class Known:
    """What is known of a store's content.

    Parameters
    ----------
    certain : dict of int to int
        Studies acknowledged, with the version of their report (`NO_REPORT` for none, `GONE` once deleted).
    pending : dict of int to int
        What one transaction more, of which nobody heard, would change: all of it or nothing.
    """

    certain: dict[int, int] = field(default_factory=dict)
    pending: dict[int, int] = field(default_factory=dict)

    def settled(self, held: Mapping[int, int]) -> bool | None:
        """Return whether the pending transaction is in; None where the content is neither."""
        after = {**self.certain, **self.pending}
        if held == _present(after):
            return True
        return False if held == _present(self.certain) else None


def _present(versions: Mapping[int, int]) -> dict[int, int]:
    return {number: version for number, version in versions.items() if version != GONE}


def heard(known: Known, said: Sequence[tuple[str, Sequence[tuple[int, int]]]]) -> Known:
    """Return what is known after an ingest has told of its transactions, the last one perhaps not done."""
    certain = dict(known.certain)
    pending: dict[int, int] = {}
    for what, change in said:
        pending = dict(change)
        if what == "done":
            certain |= pending
            pending = {}
    return Known(certain, pending)


def look(store: Store, archive: Archive, known: Known | None) -> tuple[dict[int, int], list[str]]:
    """Return the studies that a store holds, and everything that is wrong with it.

    Without `known` it may hold any studies, if each is whole and every answer right.
    """
    faults = [f"damaged: {line}" for line in store.damage()]
    held: dict[int, int] = {}
    for summary in store.studies(limit=1 << 30):
        number = archive.number(summary.study)
        version, fault = _study(store, archive, number)
        held[number] = version
        faults += [fault] if fault else []
    if known is not None and known.settled(held) is None:
        after = {**known.certain, **known.pending}
        lost = sorted(n for n, v in known.certain.items() if v != GONE and after[n] != GONE and n not in held)
        faults.append(f"lost {lost}, or a transaction is half there: {len(held)} studies")
    faults += [
        f"the file of a deleted study counts as stored: {n}"
        for n, version in (known.certain.items() if known is not None else ())
        if version == GONE and n not in held and _counts_as_stored(store, archive, n)
    ]
    return held, faults + answers(store, archive, held)


def _counts_as_stored(store: Store, archive: Archive, number: int) -> bool:
    note = store.find_file(archive.file(number, NO_REPORT).sight.path)
    return note is not None and note.fate is Fate.STORED


def _study(store: Store, archive: Archive, number: int) -> tuple[int, str]:
    """Return the version of a study's report, and what is wrong with the study."""
    record = store.study(archive.name(number))
    wanted = archive.image(number)
    version = NO_REPORT
    if record.report:
        version = int(record.report.split("Version ")[1].split()[0])
        if record.report != archive.text(number, version):
            return version, f"another report: {number}"
    assert wanted.encoding is not None
    (image,) = record.images
    if (record.patient, image.boxes) != (wanted.patient, wanted.encoding.boxes):
        return version, f"another image: {number}"
    if store.preview(record.study) != wanted.preview:
        return version, f"another picture: {number}"
    for modality in Modality:
        rows = store.study_vectors(record.study, modality)
        for region in (None, *REGIONS):
            row = archive.row(modality, region, number, version)
            same = row is None if region not in rows else row is not None and (rows[region] == row).all()
            if not same:
                return version, f"another {modality.value} embedding: {number}, {region}"
    # A damaged note is none: the file would be read once more. One that is there tells of this very study.
    note = archive.file(number, version)
    if store.find_file(note.sight.path) not in (note, None):
        return version, f"another note of its file: {number}"
    return version, ""


def answers(store: Store, archive: Archive, held: Mapping[int, int], seed: int = 0) -> list[str]:
    """Ask every place once on either side, and compare with exact search over what should be there."""
    index = Index(store)
    random = np.random.default_rng(seed)
    faults = []
    for modality in Modality:
        for region in PLACES:
            rows = {n: archive.row(modality, region, n, version) for n, version in held.items()}
            numbers = [n for n, row in rows.items() if row is not None]
            query = random.normal(size=archive.image_rows(0).shape[1]).astype(np.float32)
            query /= np.linalg.norm(query)
            partition = index.partition(modality, region)
            found, scores = partition.search(query, K, index.deleted())
            matrix = np.asarray([rows[n] for n in numbers], np.float32).reshape(-1, len(query))
            exact = matrix @ query
            order = np.argsort(-exact)[:K]
            try:
                got = [archive.number(store.study_id(int(study))) for study in found]
            except UnknownStudyError as error:
                faults.append(f"wrong answer in {modality.value} {region}: {error}")
                continue
            if got != [numbers[n] for n in order] or not np.allclose(scores, exact[order], atol=1e-5):
                faults.append(f"wrong answer in {modality.value} {region}")
    return faults
