"""How well report text is parsed, against the annotations of Indiana University's reports."""

from __future__ import annotations

import csv
from collections.abc import Hashable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.errors import ArchiveError
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.findings.devices import DEVICES
from edge_retrieve.runtime.reports import ParsedReport, parse_report
from edge_retrieve.train.evaluate.mesh import read_annotations

_COLUMNS = ("uid", "MeSH", "findings", "impression")


@dataclass(frozen=True)
class Scores:
    """Micro-averaged agreement of two sets of items over all reports, each 0 to 1.

    Parameters
    ----------
    precision, recall, f1 : float
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ReportScores:
    """What `evaluate_reports` measured.

    Parameters
    ----------
    n : int
        Reports with text and annotation.
    skipped : int
        Reports without text, or that the indexers did not annotate.
    location : Scores
        Items are (report, region): the regions in which anything abnormal is stated.
    finding_location : Scores
        Items are (report, finding, region), for annotations within the vocabulary.
    """

    n: int
    skipped: int
    location: Scores
    finding_location: Scores

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON-ready values, named as in the command line's contract."""
        return asdict(self)


def evaluate_reports(path: Path) -> ReportScores:
    """Parse every report of a file and compare with its ``MeSH`` column.

    Parameters
    ----------
    path : Path
        CSV with the columns ``uid, MeSH, findings, impression`` (Indiana University's).

    Raises
    ------
    ArchiveError
        The file cannot be read or has other columns.
    """
    n = skipped = 0
    location, finding_location = _Tally(), _Tally()
    for row in _rows(path):
        text = report_text(row)
        if not text or row["MeSH"].strip().lower() in ("", "no indexing"):
            skipped += 1
            continue
        n += 1
        annotations = read_annotations(row["MeSH"])
        stated = stated_findings(parse_report(text))
        location.add(
            {region for annotation in annotations for region in annotation.regions},
            {region for _, region in stated},
        )
        finding_location.add(
            {(a.finding, region) for a in annotations if a.finding for region in a.regions}, stated
        )
    return ReportScores(n, skipped, location.scores(), finding_location.scores())


def report_text(row: dict[str, str]) -> str:
    """Return a row's report with its section headers, empty where there is none."""
    parts = [
        f"{name.upper()}: {row[name].strip()}" for name in ("findings", "impression") if row[name].strip()
    ]
    return "\n\n".join(parts)


def stated_findings(report: ParsedReport) -> set[tuple[Finding, Region]]:
    """Return what a report states as present or possible, without devices (they are not scored)."""
    return {
        (mention.finding, region)
        for sentence in report.sentences
        for mention in sentence.mentions
        if mention.assertion is not Assertion.ABSENT and mention.finding not in DEVICES
        for region in mention.regions
    }


class _Tally:
    """Counts of items found in both, in the annotation, and in the parse."""

    def __init__(self) -> None:
        self.both = self.annotated = self.parsed = 0

    def add(self, annotated: Iterable[Hashable], parsed: Iterable[Hashable]) -> None:
        annotated, parsed = set(annotated), set(parsed)
        self.both += len(annotated & parsed)
        self.annotated += len(annotated)
        self.parsed += len(parsed)

    def scores(self) -> Scores:
        precision = self.both / self.parsed if self.parsed else 0.0
        recall = self.both / self.annotated if self.annotated else 0.0
        total = self.annotated + self.parsed
        return Scores(precision, recall, 2 * self.both / total if total else 0.0)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise ArchiveError(
                    f"the columns {', '.join(missing)} are missing",
                    where=str(path),
                    remedy=f"Give a CSV with the columns {', '.join(_COLUMNS)}",
                )
            return [{name: row[name] or "" for name in _COLUMNS} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ArchiveError(f"the reports cannot be read ({error})", where=str(path)) from error
