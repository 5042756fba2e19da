"""Example queries of a trained model, with the pictures and boxes of what it found."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.train.datasets.corpus import FINDINGS, Corpus
from edge_retrieve.train.validate import EncodedStudies

EXAMPLES = "examples.json"
_QUERIES, _HITS = 5, 5
_LEAST_RELEVANT = 3
_SIDE = 192  # pixels of a picture


@dataclass(frozen=True)
class Picture:
    """A study as shown: JPEG in base64, the region's box as fractions, and whether it is relevant."""

    jpeg: str
    box: tuple[float, float, float, float]
    score: float
    relevant: bool


@dataclass(frozen=True)
class Example:
    """One image-to-image query in a region: the study that asks, and the best hits of other patients."""

    region: str
    finding: str
    query: Picture
    hits: tuple[Picture, ...]


def find_examples(corpus: Corpus, encoded: EncodedStudies) -> tuple[Example, ...]:
    """Return queries of different findings, the first of each that has relevant cases.

    Parameters
    ----------
    corpus : Corpus
    encoded : EncodedStudies
        Of the same studies.
    """
    examples: list[Example] = []
    asked: set[int] = set()
    for study, region, finding in np.argwhere(corpus.labels > 0):
        others = np.flatnonzero(corpus.patients != corpus.patients[study])
        relevant = corpus.labels[:, region, finding] > 0
        if int(finding) in asked or relevant[others].sum() < _LEAST_RELEVANT:
            continue
        asked.add(int(finding))
        scores = encoded.regions[:, region] @ encoded.regions[study, region]
        best = others[np.argsort(-scores[others], kind="stable")][:_HITS]
        shown = [
            Picture(
                _jpeg(corpus.pixels[int(row)]),
                _edges(encoded.boxes[row, region]),
                float(scores[row]),
                bool(relevant[row]),
            )
            for row in (study, *best)
        ]
        examples.append(
            Example(str(REGIONS[region].value), FINDINGS[finding].value, shown[0], tuple(shown[1:]))
        )
        if len(examples) == _QUERIES:
            break
    return tuple(examples)


def save_examples(folder: Path, examples: tuple[Example, ...]) -> None:
    """Keep examples beside a run's checkpoint: a report can be written again without the studies."""
    (folder / EXAMPLES).write_text(json.dumps([asdict(each) for each in examples]), encoding="utf-8")


def load_examples(folder: Path) -> tuple[Example, ...]:
    """Return the examples of a run, none where it has not ended."""
    path = folder / EXAMPLES
    if not path.is_file():
        return ()
    return tuple(
        Example(
            raw["region"],
            raw["finding"],
            _picture(raw["query"]),
            tuple(_picture(hit) for hit in raw["hits"]),
        )
        for raw in json.loads(path.read_text(encoding="utf-8"))
    )


def _picture(raw: dict[str, Any]) -> Picture:
    x1, y1, x2, y2 = map(float, raw["box"])
    return Picture(str(raw["jpeg"]), (x1, y1, x2, y2), float(raw["score"]), bool(raw["relevant"]))


def _edges(box: npt.NDArray[np.float32]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (round(float(edge), 4) for edge in box)
    return x1, y1, x2, y2


def _jpeg(pixels: npt.NDArray[np.uint8]) -> str:
    small = cv2.resize(np.asarray(pixels), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return base64.b64encode(cv2.imencode(".jpg", small)[1].tobytes()).decode("ascii")
