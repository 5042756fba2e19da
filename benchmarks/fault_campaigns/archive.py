"""A made archive: every study follows from its number, so that a store can be compared with what went in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.bundle import Bundle, Manifest
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.runtime.reports import ParsedReport, parse_report
from edge_retrieve.runtime.store import Fate, NewEncoding, NewImage, NewReport, ReadFile, Sight

FloatArray = npt.NDArray[np.float32]

DIM = 16
TEXTS = (
    "There is a nodule in the right upper lung zone.",
    "Large mass in the left lower lung zone. No pleural effusion.",
    "The lungs are clear. The heart size is normal.",
)
NO_REPORT = -1


def made_bundle(name: str = "a") -> Bundle:
    """Return a bundle that encodes nothing: embeddings are made up."""
    manifest = Manifest(
        model_id=f"made {name}",
        image_size=64,
        embedding_dim=DIM,
        feature_channels=DIM,
        feature_stride=8,
        max_text_tokens=64,
        training_data="none",
    )
    return Bundle(Path(), manifest, name * 64)


@dataclass(frozen=True)
class Archive:
    """Makes studies.

    Parameters
    ----------
    seed : int
        Another seed makes other embeddings for the same numbers.
    """

    seed: int

    def name(self, number: int) -> str:
        """Return the identifier of a study."""
        return f"study-{self.seed}-{number}"

    def number(self, name: str) -> int:
        """Return the number of the study with an identifier."""
        return int(name.rpartition("-")[2])

    def image_rows(self, number: int) -> FloatArray:
        """Return the embeddings of a study's image: of the whole, then of the 29 regions; shape [30, D]."""
        return _rows(self.seed, 1, number, 0, 1 + len(REGIONS))

    def text_rows(self, number: int, version: int) -> dict[Region | None, FloatArray]:
        """Return the embeddings of a study's report by place, None for the whole."""
        parsed = _parsed(self.text(number, version))
        places = [None, *(region for region in REGIONS if parsed.about(region))]
        return dict(zip(places, _rows(self.seed, 2, number, version, len(places)), strict=True))

    def text(self, number: int, version: int) -> str:
        """Return a study's report; a later version replaces an earlier one."""
        return f"{TEXTS[(number + version) % len(TEXTS)]} Version {version} of {number}."

    def image(self, number: int) -> NewImage:
        """Return a study's image."""
        rows = self.image_rows(number)
        scores = np.linspace(0, 1, len(REGIONS), dtype=np.float32)
        return NewImage(
            study=self.name(number),
            patient=f"patient-{number}",
            study_date="20240131",
            sex="F",
            age=float(number),
            sop_instance=f"sop-{self.seed}-{number}",
            pixels_sha256=f"sha-{self.seed}-{number}",
            source=f"/in/{number}.dcm",
            view=View.PA,
            width=2000,
            height=2500,
            flags=(),
            applied=("VOI window",),
            preview=self.preview(number),
            encoding=NewEncoding(
                boxes=tuple(Box(number, n, number + 10.5, n + 20) for n in range(len(REGIONS))),
                box_scores=scores,
                regions=rows[1:],
                global_embedding=rows[0],
            ),
        )

    def file(self, number: int, version: int) -> ReadFile:
        """Return the note of the file that a study came from, whose last report may be one of a version."""
        return ReadFile(
            Sight(hashlib.sha256(self.name(number).encode()).digest(), number, version, b"said"),
            terms=b"terms",
            fate=Fate.STORED,
            study=self.name(number),
            spoke=version != NO_REPORT,
        )

    def preview(self, number: int) -> bytes:
        """Return a study's picture: bytes that no decoder ever sees."""
        return np.random.default_rng((self.seed, 3, number)).bytes(3000)

    def report(self, number: int, version: int) -> NewReport:
        """Return a version of a study's report."""
        text, rows = self.text(number, version), self.text_rows(number, version)
        return NewReport(
            study=self.name(number),
            text=text,
            parsed=_parsed(text),
            global_embedding=rows.pop(None),
            regions=tuple((region, row) for region, row in rows.items() if region is not None),
        )

    def row(self, modality: Modality, region: Region | None, number: int, version: int) -> FloatArray | None:
        """Return a study's embedding in a partition, None where it has none there."""
        if modality is Modality.IMAGE:
            return self.image_rows(number)[0 if region is None else 1 + region.position]
        return None if version == NO_REPORT else self.text_rows(number, version).get(region)


@lru_cache(maxsize=10_000)
def _parsed(text: str) -> ParsedReport:
    return parse_report(text)


@lru_cache(maxsize=10_000)
def _rows(seed: int, kind: int, number: int, version: int, count: int) -> FloatArray:
    rows = np.random.default_rng((seed, kind, number, version)).normal(size=(count, DIM))
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    unit.flags.writeable = False
    return unit
