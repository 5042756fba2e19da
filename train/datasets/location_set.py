"""The report-derived location set: queries (region, finding) and their relevant studies, read from reports.

It stands for MIMIC-loc (arXiv 2503.07456), whose lists were not obtainable, and is no copy of it. The rules,
also in ``docs/datasets.md``:

1. A study takes part with its first frontal image that has a report.
2. A study is *positive* for a pair (region, finding) if its report states that finding as present in exactly
   that region; a region is not its part nor its whole (a finding in the lower zone says nothing of "lung").
3. It is *left out* for a pair if its report leaves that finding there open, or states it as present with no
   place that could be told. It is neither relevant nor a distractor then.
4. It is *negative* otherwise, also if its report does not speak of the region.
5. A pair is kept if its positives come from at least `min_patients` patients.
6. Every positive of a kept pair is a query, at most `max_queries` a pair, chosen by a hash of pair and image.
7. Of a query, the positives of other patients are relevant; its own patient is left out.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.reports import ParsedReport, parse_report
from edge_retrieve.train.datasets.records import StudyRecord


@dataclass(frozen=True)
class LocationPair:
    """One region with one finding, and the studies that have it there.

    Parameters
    ----------
    region : Region
    finding : Finding
    positives : tuple of int
        Rows of the set's studies.
    left_out : tuple of int
        Rows of which the report does not tell.
    queries : tuple of int
        Those of the positives that ask.
    """

    region: Region
    finding: Finding
    positives: tuple[int, ...]
    left_out: tuple[int, ...]
    queries: tuple[int, ...]


@dataclass(frozen=True)
class LocationSet:
    """Studies and the pairs asked of them.

    Parameters
    ----------
    images, patients : tuple of str
        Image and patient of each study, as the data set names them.
    pairs : tuple of LocationPair
        In the order of the regions, then of the findings.
    """

    images: tuple[str, ...]
    patients: tuple[str, ...]
    pairs: tuple[LocationPair, ...]

    def relevant(self, pair: LocationPair, query: int) -> tuple[int, ...]:
        """Return the studies relevant to a query: positives of other patients."""
        return tuple(row for row in pair.positives if self.patients[row] != self.patients[query])

    def candidates(self, pair: LocationPair, query: int) -> tuple[int, ...]:
        """Return the studies a query is ranked over: all but its own patient's and those left out."""
        aside = set(pair.left_out)
        return tuple(
            row
            for row, patient in enumerate(self.patients)
            if row not in aside and patient != self.patients[query]
        )


def build_location_set(
    records: Iterable[StudyRecord], *, min_patients: int = 6, max_queries: int = 50
) -> LocationSet:
    """Build the set from records with reports; see the module's rules.

    Parameters
    ----------
    records : iterable of StudyRecord
        Those of one split; no model evaluated on the set may have been trained on them.
    min_patients : int
        Least number of patients among a pair's positives; six give each query five relevant studies.
    max_queries : int
        Most queries of a pair.

    Raises
    ------
    DataSetError
        No pair has enough positives.
    """
    images: list[str] = []
    patients: list[str] = []
    seen: set[tuple[str, str]] = set()
    positives: dict[tuple[Region, Finding], list[int]] = defaultdict(list)
    uncertain: dict[tuple[Region, Finding], set[int]] = defaultdict(set)
    unplaced: dict[Finding, set[int]] = defaultdict(set)
    for record in records:
        identity = (record.patient, record.study)
        if record.frontal is False or not record.report.strip() or identity in seen:
            continue
        seen.add(identity)
        row = len(images)
        images.append(record.image_id)
        patients.append(record.patient)
        stated = _Stated.of(parse_report(record.report))
        for pair in stated.present:
            positives[pair].append(row)
        for pair in stated.uncertain - stated.present:
            uncertain[pair].add(row)
        for finding in stated.unplaced:
            unplaced[finding].add(row)
    pairs = []
    for region in Region:
        for finding in Finding:
            rows = positives.get((region, finding), [])
            if len({patients[row] for row in rows}) < min_patients:
                continue
            aside = (uncertain.get((region, finding), set()) | unplaced.get(finding, set())) - set(rows)
            drawn = sorted(rows, key=lambda row: _draw(region, finding, images[row]))[:max_queries]
            pairs.append(
                LocationPair(region, finding, tuple(rows), tuple(sorted(aside)), tuple(sorted(drawn)))
            )
    if not pairs:
        raise DataSetError(
            f"no finding in any region is stated of {min_patients} patients",
            where=f"{len(images)} studies with reports",
            remedy="Give more studies, or lower min_patients",
        )
    return LocationSet(tuple(images), tuple(patients), tuple(pairs))


def _draw(region: Region, finding: Finding, image: str) -> bytes:
    return hashlib.sha256(f"{region.value}|{finding.value}|{image}".encode()).digest()


@dataclass(frozen=True)
class _Stated:
    present: frozenset[tuple[Region, Finding]]
    uncertain: frozenset[tuple[Region, Finding]]
    unplaced: frozenset[Finding]

    @classmethod
    def of(cls, report: ParsedReport) -> _Stated:
        present: set[tuple[Region, Finding]] = set()
        uncertain: set[tuple[Region, Finding]] = set()
        unplaced: set[Finding] = set()
        for sentence in report.sentences:
            for mention in sentence.mentions:
                places = {(region, mention.finding) for region in mention.regions}
                if mention.assertion is Assertion.PRESENT:
                    present |= places
                    if not places:
                        unplaced.add(mention.finding)
                elif mention.assertion is Assertion.UNCERTAIN:
                    uncertain |= places
        return cls(frozenset(present), frozenset(uncertain), frozenset(unplaced))
