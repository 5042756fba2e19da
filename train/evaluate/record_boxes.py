"""Region boxes on annotated images."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from edge_retrieve.runtime.anatomy import REGIONS, boxes_to_array
from edge_retrieve.runtime.errors import ArchiveError
from edge_retrieve.train.datasets.records import StudyRecord
from edge_retrieve.train.evaluate.boxes import RegionBoxes
from edge_retrieve.train.evaluate.encoded import StudyEncoder
from edge_retrieve.train.evaluate.record_archive import encode_file

Progress = Callable[[str, int, int], None]


def find_boxes(
    encoder: StudyEncoder, records: Iterable[StudyRecord], progress: Progress | None = None
) -> RegionBoxes:
    """Find the regions on every image with annotated boxes; fractions of the image.

    Raises
    ------
    ArchiveError
        No record has a box.
    PixelError
        An image cannot be read.
    """
    found, true, scores = [], [], []
    for record in records:
        if not record.boxes:
            continue
        encoding = encode_file(encoder, record.image)
        size = np.array([encoding.width, encoding.height] * 2, dtype=np.float32)
        frame = np.array((record.frame or (encoding.width, encoding.height)) * 2, dtype=np.float32)
        drawn = np.full((len(REGIONS), 4), np.nan, dtype=np.float32)
        for region, box in record.boxes.items():
            drawn[region.position] = np.asarray(box.as_tuple(), dtype=np.float32) / frame
        found.append(boxes_to_array(encoding.boxes) / size)
        true.append(drawn)
        scores.append(encoding.box_scores)
        if progress:
            progress("find regions", len(found), 0)
    if not found:
        raise ArchiveError(
            "no image has an annotated region box",
            where="eval regions",
            remedy="Name a data set with region boxes: Chest ImaGenome, or a table of cases",
        )
    return RegionBoxes(np.stack(found), np.stack(true), np.stack(scores))
