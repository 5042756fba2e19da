"""Evaluation on held-out phantoms (synthetic): retrieval, grounding, boxes, sides, report text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.bundle import Fusion
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.evaluate.archive import (
    MIN_RELEVANT,
    EncodedPhantoms,
    Progress,
    encode_archives,
)
from edge_retrieve.train.evaluate.boxes import RegionBoxes, mean_figures
from edge_retrieve.train.evaluate.boxes_report import boxes_json
from edge_retrieve.train.evaluate.encoded import StudyEncoder
from edge_retrieve.train.evaluate.grounding import PhraseScores
from edge_retrieve.train.evaluate.grounding_report import grounding_json
from edge_retrieve.train.evaluate.plain import plain
from edge_retrieve.train.evaluate.ranking import Direction, Form
from edge_retrieve.train.evaluate.retrieval import RetrievalResult, Summary, evaluate_archive
from edge_retrieve.train.evaluate.retrieval_report import retrieval_json
from edge_retrieve.train.evaluate.saved import load_phantoms, save_phantoms
from edge_retrieve.train.evaluate.text_f1 import TextCounts, text_json

SEEDS = (101, 102, 103)


@dataclass(frozen=True)
class SeedReport:
    """Figures of one test archive.

    Parameters
    ----------
    seed, studies : int
    retrieval : RetrievalResult
    phrases : PhraseScores
    boxes : RegionBoxes
    text : TextCounts
        What the report parser reads in the archive's reports.
    """

    seed: int
    studies: int
    retrieval: RetrievalResult
    phrases: PhraseScores
    boxes: RegionBoxes
    text: TextCounts

    def figure(self, direction: Direction, form: Form, metric: str = "p_at_5") -> float:
        """Return one joint retrieval figure."""
        return Summary([self.retrieval]).figures(direction, form)[metric]

    @property
    def region_iou(self) -> float:
        """Mean IoU of the 29 region boxes."""
        return mean_figures(self.boxes).iou

    def to_json(self) -> dict[str, Any]:
        """Return the seed's means, without intervals and baselines."""
        full = retrieval_json([self.retrieval], resamples=1)
        return {
            "seed": self.seed,
            "studies": self.studies,
            **{name: full[name] for name in ("queries", "retrieval", "laterality_swap")},
            "grounding": grounding_json([self.phrases], resamples=0),
            "regions": boxes_json([self.boxes]),
        }


@dataclass(frozen=True)
class PhantomReport:
    """Figures of several test archives.

    Parameters
    ----------
    seeds : tuple of SeedReport
        At least one.
    """

    seeds: tuple[SeedReport, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of ``edge-retrieve eval phantom --json``: means, then each seed."""
        report = {
            "synthetic": True,
            "relevant": "same finding in the same region, another patient",
            "studies_per_seed": self.seeds[0].studies,
            **retrieval_json([report.retrieval for report in self.seeds]),
            "grounding": grounding_json([report.phrases for report in self.seeds]),
            "regions": boxes_json([report.boxes for report in self.seeds]),
            "text": text_json([report.text for report in self.seeds]),
            "seeds": [report.to_json() for report in self.seeds],
        }
        return dict(plain(report))


def evaluate_phantom(
    encoder: StudyEncoder,
    *,
    studies: int = 1000,
    seeds: Sequence[int] = SEEDS,
    workers: int = 2,
    baselines: bool = True,
    encoded: Path | None = None,
    fusion: Fusion | None = None,
    progress: Progress | None = None,
) -> PhantomReport:
    """Score a model on held-out phantoms: other patients, other paraphrases, hard candidates.

    A candidate is relevant where it has the query's finding in the query's region, by the archive's truth.
    The candidates hold each patient's hard variants (the finding elsewhere, another finding there, the
    mirrored side, the clean twin). A query's own patient is left out.

    Parameters
    ----------
    encoder : StudyEncoder
    studies : int
        Studies per seed.
    seeds : sequence of int
    workers : int
        Processes that render.
    baselines : bool
        Rank with the baselines too.
    encoded : Path, optional
        Folder where encoded archives are kept: taken from it where there, written where not.
    fusion : Fusion, optional
        The bundle's: what images and texts count where both ask; all alike where None.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.

    Raises
    ------
    ConfigError
        Where the archive is too small to hold a query with enough relevant cases.
    ArchiveError
        Where an encoded archive in `encoded` is damaged or another model's.
    """
    (report,) = evaluate_phantoms(
        [encoder],
        studies=studies,
        seeds=seeds,
        workers=workers,
        baselines=baselines,
        encoded=encoded,
        fusion=fusion,
        progress=progress,
    )
    return report


def evaluate_phantoms(
    encoders: Sequence[StudyEncoder],
    *,
    studies: int = 1000,
    seeds: Sequence[int] = SEEDS,
    workers: int = 2,
    baselines: bool = False,
    encoded: Path | None = None,
    fusion: Fusion | None = None,
    progress: Progress | None = None,
) -> list[PhantomReport]:
    """Score several models on the same phantoms, each rendered once for all of them.

    Parameters and errors are those of `evaluate_phantom`; `train.evaluate.compare` takes the result.
    """
    reports: list[list[SeedReport]] = [[] for _ in encoders]
    for seed in seeds:
        for number, phantoms in enumerate(_archives(encoders, studies, seed, workers, encoded, progress)):
            if not len(phantoms.archive.queries):
                raise ConfigError(
                    f"no finding is in the same region of {MIN_RELEVANT + 1} patients",
                    where=f"eval phantom, {studies} studies",
                    remedy="Use more studies",
                )
            reports[number].append(
                SeedReport(
                    seed=seed,
                    studies=studies,
                    retrieval=evaluate_archive(phantoms.archive, baselines=baselines, fusion=fusion),
                    phrases=phantoms.phrases,
                    boxes=phantoms.boxes,
                    text=TextCounts.of(phantoms.archive.truth, phantoms.stated),
                )
            )
    return [PhantomReport(tuple(each)) for each in reports]


def encode_seeds(
    encoder: StudyEncoder,
    studies: int,
    seeds: Sequence[int],
    *,
    workers: int = 2,
    encoded: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[EncodedPhantoms]:
    """Yield the archives of `evaluate_phantom`, one at a time."""
    for seed in seeds:
        yield from _archives([encoder], studies, seed, workers, encoded, progress)


def _archives(
    encoders: Sequence[StudyEncoder],
    studies: int,
    seed: int,
    workers: int,
    encoded: Path | None,
    progress: Progress | None,
) -> Iterator[EncodedPhantoms]:
    if encoded is None:
        yield from encode_archives(encoders, studies, seed, workers, progress)
        return
    known = {e.bundle_id: load_phantoms(encoded, e.bundle_id, studies, seed) for e in encoders}
    unknown = [encoder for encoder in encoders if known[encoder.bundle_id] is None]
    # Rendered once for all that are missing.
    made = encode_archives(unknown, studies, seed, workers, progress) if unknown else []
    for encoder, phantoms in zip(unknown, made, strict=True):
        save_phantoms(encoded, encoder.bundle_id, studies, seed, phantoms)
        known[encoder.bundle_id] = phantoms
    yield from (kept for e in encoders if (kept := known[e.bundle_id]) is not None)
