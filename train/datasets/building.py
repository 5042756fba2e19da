"""From records to a training corpus: decode, place the boxes, read the supervision from the reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box
from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.preprocess import Letterbox
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.datasets.corpus import (
    FINDINGS,
    MASK_SIDE,
    Corpus,
    LesionMasks,
    RegionText,
    supervise,
)
from edge_retrieve.train.datasets.decoded import DecodedCache, DecodedImage
from edge_retrieve.train.datasets.disk_rows import ArrayWriter, TextRows, TextWriter
from edge_retrieve.train.datasets.found_boxes import BoxFinder
from edge_retrieve.train.datasets.records import StudyRecord, is_frontal


@dataclass(frozen=True)
class Skipped:
    """An image that is not trained on, and why.

    Parameters
    ----------
    image : Path
    reason : str
    """

    image: Path
    reason: str


OnSkip = Callable[[Skipped], None]


class CorpusWriter:
    """A corpus in the making; its rows go to disk as they come. Use it in a ``with`` block.

    Parameters
    ----------
    cache : DecodedCache
        Stays open until `finish`.
    keep_unknown_views : bool
        Take images of which neither the data set nor the file says that they are frontal. Right for a
        site's folder of frontal pictures, wrong for a mixed archive.
    finder : BoxFinder, optional
        Finds the region boxes of images for which the data set has none.
    on_skip : callable, optional
        Told of every image that is left out.
    """

    def __init__(
        self,
        cache: DecodedCache,
        *,
        keep_unknown_views: bool = False,
        finder: BoxFinder | None = None,
        on_skip: OnSkip | None = None,
    ) -> None:
        self._cache, self._keep_unknown, self._on_skip = cache, keep_unknown_views, on_skip
        self._finder = finder
        self._rows: list[int] = []
        self._patients: list[int] = []
        self._identities: dict[str, int] = {}
        self._has_boxes: list[npt.NDArray[np.bool_]] = []
        self._boxes = ArrayWriter(cache.folder, (len(REGIONS), 4), np.float32)
        self._labels = ArrayWriter(cache.folder, (len(REGIONS), len(FINDINGS)), np.float32)
        self._reports = TextWriter(cache.folder)
        self._region_texts = TextWriter(cache.folder)
        self.skipped = 0
        self.first_reason = ""

    def __len__(self) -> int:
        return len(self._rows)

    def __enter__(self) -> CorpusWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        for file in (self._boxes, self._labels, self._reports, self._region_texts):
            file.close()

    def add(self, record: StudyRecord) -> bool:
        """Take a record in, or tell why not.

        An image is left out where it is lateral, has no report (an empty one would be read as a normal one),
        or cannot be decoded.

        Returns
        -------
        bool
            Whether it was taken.
        """
        reason = self._objection(record)
        if reason:
            return self._skip(record, reason)
        image = self._cache.add(record.image)
        if image.reason:
            return self._skip(record, image.reason)
        frontal = record.frontal if record.frontal is not None else is_frontal(image.view)
        if frontal is False or (frontal is None and not self._keep_unknown):
            shown = "lateral" if frontal is False else "unknown"
            return self._skip(record, f"its view is {shown}")
        boxes, known = place_boxes(record, image, self._cache.size)
        if self._finder is not None and not known.any():
            boxes, known = self._finder.find(image.row)
        labels, texts = supervise([record.report])
        self._rows.append(image.row)
        self._patients.append(self._identities.setdefault(record.patient, len(self._identities)))
        self._has_boxes.append(known)
        self._boxes.append(boxes)
        self._labels.append(labels[0])
        self._reports.append(record.report)
        self._region_texts.append(json.dumps([asdict(text) for text in texts[0]]))
        return True

    def _objection(self, record: StudyRecord) -> str:
        """Return why a record is left out without a look at its file; empty where it is not."""
        if record.frontal is False:
            return "its view is lateral"
        if record.frontal is None and record.view is View.LATERAL:
            return "its view is lateral"
        return "" if record.report.strip() else "it has no report"

    def _skip(self, record: StudyRecord, reason: str) -> bool:
        self.skipped += 1
        self.first_reason = self.first_reason or f"{record.image}: {reason}"
        if self._on_skip:
            self._on_skip(Skipped(record.image, reason))
        return False

    def finish(self, where: str) -> Corpus:
        """Return the corpus.

        Parameters
        ----------
        where : str
            The data set, named in an error.

        Raises
        ------
        DataSetError
            No image was taken.
        """
        if not self._rows:
            why = f"; the first: {self.first_reason}" if self.first_reason else ""
            raise DataSetError(
                f"no image is left to train on ({self.skipped} left out{why})",
                where=where,
                remedy="See what is missing with: edge-retrieve dataset check",
            )
        rows = np.asarray(self._rows, dtype=np.int64)
        return Corpus(
            pixels=self._cache.pixels(rows),
            boxes=self._boxes.finish(),
            patients=np.asarray(self._patients, dtype=np.int64),
            reports=self._reports.finish(),
            labels=self._labels.finish(),
            region_texts=_RegionTexts(self._region_texts.finish()),
            lesions=LesionMasks(
                np.zeros(0, dtype=np.int64),
                np.zeros(0, dtype=np.int64),
                np.zeros((0, MASK_SIDE, MASK_SIDE), dtype=np.uint8),
            ),
            has_boxes=np.stack(self._has_boxes),
        )


def build_corpus(
    records: Iterable[StudyRecord],
    cache: DecodedCache,
    *,
    where: str = "records",
    keep_unknown_views: bool = False,
    limit: int = 0,
    on_skip: OnSkip | None = None,
) -> Corpus:
    """Return the records as a training corpus; see `CorpusWriter`.

    Parameters
    ----------
    records : iterable of StudyRecord
    cache : DecodedCache
    where : str
        The data set, named in an error.
    keep_unknown_views : bool
    limit : int
        Images at most; 0 for all.
    on_skip : callable, optional

    Raises
    ------
    DataSetError
        No image was taken.
    """
    with CorpusWriter(cache, keep_unknown_views=keep_unknown_views, on_skip=on_skip) as writer:
        for record in records:
            writer.add(record)
            if limit and len(writer) >= limit:
                break
        return writer.finish(where)


def place_boxes(
    record: StudyRecord, image: DecodedImage, size: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return a record's region boxes on the letterboxed square.

    A box is scaled from the frame it was drawn on to the file at hand, so that a resized copy of a data set
    gets the same boxes.

    Parameters
    ----------
    record : StudyRecord
    image : DecodedImage
    size : int
        Side of the square, pixels.

    Returns
    -------
    boxes : float32 array of shape [29, 4]
        Fractions of the square; zeros where there is none.
    known : bool array of shape [29]
    """
    boxes = np.zeros((len(REGIONS), 4), dtype=np.float32)
    known = np.zeros(len(REGIONS), dtype=np.bool_)
    width, height = record.frame or (image.width, image.height)
    across, down = image.width / width, image.height / height
    fit = Letterbox.fit(image.width, image.height, size)
    for region, box in record.boxes.items():
        scaled = Box(box.x1 * across, box.y1 * down, box.x2 * across, box.y2 * down)
        placed = fit.to_model(scaled.clipped(image.width, image.height))
        if placed.area > 0:
            boxes[region.position] = np.asarray(placed.as_tuple()) / size
            known[region.position] = True
    return boxes, known


class _RegionTexts(Sequence[tuple[RegionText, ...]]):
    """What the reports say of single regions, read from disk row by row."""

    def __init__(self, rows: TextRows) -> None:
        self._texts = rows

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> tuple[RegionText, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[RegionText, ...]]: ...

    def __getitem__(self, index: int | slice) -> tuple[RegionText, ...] | list[tuple[RegionText, ...]]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        return tuple(RegionText(**entry) for entry in json.loads(self._texts[index]))

    def __iter__(self) -> Iterator[tuple[RegionText, ...]]:
        return (self[row] for row in range(len(self)))
