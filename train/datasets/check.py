"""What is on disk of a data set, counted; what is missing, named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from edge_retrieve.train.config import Source
from edge_retrieve.train.datasets.records import Roots, StudyRecord
from edge_retrieve.train.datasets.sources import READERS, read_records

_NAMED = 20  # missing files named; the count tells of all


@dataclass(frozen=True)
class DataSetCheck:
    """Counts of a data set on disk.

    Parameters
    ----------
    source : str
    trainable : bool
        Whether the trainer takes it; others are for evaluation.
    images, studies, patients : int
        As the tables name them.
    frontal, lateral, unknown_view : int
        Images by view, as known without opening them.
    reports : int
        Studies with a report.
    images_with_boxes, region_boxes, further_boxes : int
        Images with a box of the 29 regions, such boxes, and boxes of the seven further names.
    phrases, phrase_boxes : int
        Grounded phrases or findings, and their boxes.
    labels : int
        Image-level labels that are stated.
    splits : dict of str to int
        Images of each split of the publisher; "none" where there is no split.
    missing_images : int
    missing : tuple of str
        The first missing image files.
    """

    source: str
    trainable: bool
    images: int
    studies: int
    patients: int
    frontal: int
    lateral: int
    unknown_view: int
    reports: int
    images_with_boxes: int
    region_boxes: int
    further_boxes: int
    phrases: int
    phrase_boxes: int
    labels: int
    splits: dict[str, int]
    missing_images: int
    missing: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON-ready values."""
        return asdict(self)


def check_data_set(
    source: Source, roots: Roots, progress: Callable[[int, int], None] | None = None
) -> DataSetCheck:
    """Read a data set from end to end, without decoding an image, and count.

    Parameters
    ----------
    source : Source
    roots : Roots
    progress : callable, optional
        Called with images read and images in all, as far as known.

    Raises
    ------
    DataSetError
        A table or an annotation is missing or damaged. Missing images are counted instead.
    ConfigError
        For phantoms.
    """
    counts: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    # Of identifiers only hashes are kept: 380,000 names would weigh more than all else here.
    studies: set[int] = set()
    patients: set[int] = set()
    reported: set[int] = set()
    missing: list[str] = []
    for done, record in enumerate(read_records(source, roots), start=1):
        study = hash((record.patient, record.study))
        studies.add(study)
        patients.add(hash(record.patient))
        if record.report.strip():
            reported.add(study)
        splits[record.split.value if record.split else "none"] += 1
        counts.update(_counts(record))
        if not record.image.is_file():
            counts["missing_images"] += 1
            if len(missing) < _NAMED:
                missing.append(str(record.image))
        if progress:
            progress(done, done)
    return DataSetCheck(
        source=source.value,
        trainable=not READERS[source].evaluation_only,
        images=splits.total(),
        studies=len(studies),
        patients=len(patients),
        frontal=counts["frontal"],
        lateral=counts["lateral"],
        unknown_view=counts["unknown_view"],
        reports=len(reported),
        images_with_boxes=counts["images_with_boxes"],
        region_boxes=counts["region_boxes"],
        further_boxes=counts["further_boxes"],
        phrases=counts["phrases"],
        phrase_boxes=counts["phrase_boxes"],
        labels=counts["labels"],
        splits=dict(sorted(splits.items())),
        missing_images=counts["missing_images"],
        missing=tuple(missing),
    )


def _counts(record: StudyRecord) -> dict[str, int]:
    view = {True: "frontal", False: "lateral", None: "unknown_view"}[record.frontal]
    return {
        view: 1,
        "images_with_boxes": bool(record.boxes),
        "region_boxes": len(record.boxes),
        "further_boxes": len(record.further_boxes),
        "phrases": len(record.phrases),
        "phrase_boxes": sum(len(phrase.boxes) for phrase in record.phrases),
        "labels": len(record.labels),
    }
