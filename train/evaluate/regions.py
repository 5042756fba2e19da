"""Lung boxes found on real X-rays against boxes drawn by hand."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.errors import ArchiveError, ConfigError
from edge_retrieve.runtime.preprocess import FloatImage, load_radiograph
from edge_retrieve.train.evaluate.boxes import RegionBoxes

SIDES: Mapping[str, Region] = {"right_lung": Region.RIGHT_LUNG, "left_lung": Region.LEFT_LUNG}
EDGES = ("x1", "y1", "x2", "y2")
COLUMNS = ("file", *(f"{side}_{edge}" for side in SIDES for edge in EDGES))

# Below this overlap a box is called missed; a miss that is flagged does less harm.
MISSED_IOU = 0.5
# Used where the caller names no other level.
FLAG_BELOW = 0.5


class Boxes(Protocol):
    """The part of an image's encoding that is scored."""

    @property
    def boxes(self) -> Sequence[Box]:
        """One box per region in source pixels, in the order of `Region.position`."""

    @property
    def box_scores(self) -> npt.NDArray[np.float32]:
        """How sure the model is of each box, 0 to 1; shape [29]."""


class ImageEncoder(Protocol):
    """Whatever finds boxes on an image; `runtime.encoder.Encoder` does."""

    def encode_image(self, pixels: FloatImage) -> Boxes:
        """Encode one image of shape [H, W], display intensity 0 to 1."""


@dataclass(frozen=True)
class LungScore:
    """One lung box.

    Parameters
    ----------
    file : str
        The image, as the table names it.
    region : Region
    iou : float
        Overlap with the hand-drawn box, 0 to 1.
    flagged : bool
        Whether the model's own score lies below the level, so that a reader is warned.
    found, drawn : Box
        Pixels of the image.
    score : float
        How sure the model is of its box, 0 to 1.
    """

    file: str
    region: Region
    iou: float
    flagged: bool
    found: Box
    drawn: Box
    score: float


@dataclass(frozen=True)
class RegionReport:
    """What `evaluate_regions` measured.

    Parameters
    ----------
    scores : tuple of LungScore
        At least one; both lungs of an image stand next to each other.
    without_boxes : int
        Rows of the table without a hand-drawn box, left out.
    flag_below : float
        The level of the box score below which a box counts as flagged.
    """

    scores: tuple[LungScore, ...]
    without_boxes: int
    flag_below: float

    def as_boxes(self) -> RegionBoxes:
        """Return the boxes of both lungs as other suites take them, one row per image."""
        files = {file: row for row, file in enumerate(dict.fromkeys(score.file for score in self.scores))}
        found, drawn = (np.full((len(files), len(REGIONS), 4), np.nan) for _ in range(2))
        sure = np.zeros((len(files), len(REGIONS)))
        for score in self.scores:
            place = files[score.file], score.region.position
            found[place], drawn[place] = score.found.as_tuple(), score.drawn.as_tuple()
            sure[place] = score.score
        return RegionBoxes(found, drawn, sure)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of ``edge-retrieve eval regions --json``.

        ``n`` counts images; means and counts of boxes are over the boxes of both lungs.
        """
        return {
            "n": len({score.file for score in self.scores}),
            "boxes": len(self.scores),
            **_overlap(self.scores),
            "unflagged_below_0_5": sum(score.iou < MISSED_IOU and not score.flagged for score in self.scores),
            "below_0_5": sum(score.iou < MISSED_IOU for score in self.scores),
            "flagged": sum(score.flagged for score in self.scores),
            "flag_below": self.flag_below,
            "rows_without_boxes": self.without_boxes,
            "sides": {
                side: _overlap([score for score in self.scores if score.region is region])
                for side, region in SIDES.items()
                if any(score.region is region for score in self.scores)
            },
        }


def evaluate_regions(
    cases_csv: Path, encoder: ImageEncoder, *, flag_below: float = FLAG_BELOW
) -> RegionReport:
    """Find the two lungs on every image of a table and compare with the boxes in it.

    Parameters
    ----------
    cases_csv : Path
        A table with a column ``file`` (relative to the table) and ``{right,left}_lung_{x1,y1,x2,y2}``, pixels
        of the file. Right is the patient's right. Empty boxes are left out; other columns are ignored.
    encoder : ImageEncoder
    flag_below : float
        Box scores below it count as flagged, 0 to 1.

    Returns
    -------
    RegionReport

    Raises
    ------
    ArchiveError
        The table cannot be read, lacks a column, holds a box that is none, or no box at all.
    PixelError
        An image of the table cannot be read.
    ConfigError
        `flag_below` is no number from 0 to 1.
    """
    if not 0.0 <= flag_below <= 1.0:
        raise ConfigError(
            f"{flag_below} is no level of a box score", where="flag_below", remedy="Give 0 to 1"
        )
    scores: list[LungScore] = []
    without = 0
    for file, drawn in read_cases(cases_csv):
        if not drawn:
            without += 1
            continue
        encoding = encoder.encode_image(load_radiograph(cases_csv.parent / file).pixels)
        for region, box in drawn.items():
            scores.append(
                LungScore(
                    file=file,
                    region=region,
                    iou=encoding.boxes[region.position].iou(box),
                    flagged=float(encoding.box_scores[region.position]) < flag_below,
                    found=encoding.boxes[region.position],
                    drawn=box,
                    score=float(encoding.box_scores[region.position]),
                )
            )
    if not scores:
        raise ArchiveError("no row has a hand-drawn box", where=str(cases_csv), remedy=_columns_hint())
    return RegionReport(tuple(scores), without, flag_below)


def _overlap(scores: Sequence[LungScore]) -> dict[str, float]:
    overlaps = [score.iou for score in scores]
    return {"iou_mean": math.fsum(overlaps) / len(overlaps), "iou_min": min(overlaps)}


def read_cases(path: Path) -> list[tuple[str, dict[Region, Box]]]:
    """Read and check a whole table: per row the image's name and the boxes drawn on it.

    Raises
    ------
    ArchiveError
        As `evaluate_regions`.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            table = csv.DictReader(stream)
            missing = [column for column in COLUMNS if column not in (table.fieldnames or ())]
            if missing:
                raise ArchiveError(
                    f"the table lacks the columns {', '.join(missing)}",
                    where=str(path),
                    remedy=_columns_hint(),
                )
            return [_read_case(row, f"{path}, line {table.line_num}") for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ArchiveError(
            f"the table cannot be read ({reason})", where=str(path), remedy="Give a CSV file in UTF-8"
        ) from error


def _read_case(row: Mapping[str, str | None], where: str) -> tuple[str, dict[Region, Box]]:
    file = (row["file"] or "").strip()
    if not file:
        raise ArchiveError("no file is named", where=where, remedy="Fill in the column file")
    drawn = {}
    for side, region in SIDES.items():
        cells = [(row[f"{side}_{edge}"] or "").strip() for edge in EDGES]
        if not any(cells):
            continue
        try:
            box = Box(*(float(cell) for cell in cells))
        except ValueError as error:
            raise ArchiveError(
                f"the box of {side} is not four numbers", where=where, remedy="Fill in all four, or none"
            ) from error
        # Written so that NaN fails it too.
        if not (0 <= box.x1 < box.x2 < math.inf and 0 <= box.y1 < box.y2 < math.inf):
            raise ArchiveError(
                f"the box of {side} has no area or starts outside the image",
                where=where,
                remedy="Give x1 < x2 and y1 < y2 in pixels of the file",
            )
        drawn[region] = box
    return file, drawn


def _columns_hint() -> str:
    return f"It needs the columns {', '.join(COLUMNS)}"
