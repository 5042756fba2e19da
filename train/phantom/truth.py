"""The truth file of a phantom archive: one JSON object a line, one line a study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.errors import ArchiveError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.sampling import PlannedStudy, Split, Variant
from edge_retrieve.train.phantom.spec import CaseSpec, Lesion, PhantomImage, Severity

TRUTH_NAME = "truth.jsonl"


@dataclass(frozen=True)
class EncodedMask:
    """A binary mask as COCO's uncompressed run-length encoding.

    Parameters
    ----------
    height, width : int
        Pixels.
    counts : tuple of int
        Run lengths in column-major order, the first one of background (0 where the mask starts set).
    """

    height: int
    width: int
    counts: tuple[int, ...]

    @classmethod
    def from_mask(cls, mask: npt.NDArray[np.bool_]) -> EncodedMask:
        """Encode a bool array of shape [H, W]."""
        flat = mask.T.ravel()
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        edges = np.concatenate(([0], changes, [flat.size]))
        counts = np.diff(edges).tolist()
        if flat.size and flat[0]:
            counts.insert(0, 0)
        return cls(mask.shape[0], mask.shape[1], tuple(counts))

    def to_mask(self) -> npt.NDArray[np.bool_]:
        """Decode to a bool array of shape [H, W]."""
        values = np.arange(len(self.counts)) % 2 == 1
        mask: npt.NDArray[np.bool_] = np.repeat(values, self.counts).reshape(
            (self.height, self.width), order="F"
        )
        return mask


@dataclass(frozen=True)
class TrueLesion:
    """One lesion as rendered.

    Parameters
    ----------
    lesion : Lesion
        As asked for.
    regions : tuple of Region
        Where it counts as present.
    box : Box
        Tight around the mask, pixels.
    mask : EncodedMask
    """

    lesion: Lesion
    regions: tuple[Region, ...]
    box: Box
    mask: EncodedMask


@dataclass(frozen=True)
class TrueStudy:
    """One study of an archive: what it was planned to be and what it shows.

    Parameters
    ----------
    study, patient : str
    visit : int
        0 for the patient's first study.
    split : Split
    variant : Variant
    spec : CaseSpec
        Enough to render the study again.
    sex : str
        ``M`` or ``F``.
    age : int
        Years at the first visit.
    size : int
        Pixels a side.
    lesions : tuple of TrueLesion
    boxes : mapping of Region to Box
        All 29, pixels.
    """

    study: str
    patient: str
    visit: int
    split: Split
    variant: Variant
    spec: CaseSpec
    sex: str
    age: int
    size: int
    lesions: tuple[TrueLesion, ...]
    boxes: Mapping[Region, Box]

    @property
    def view(self) -> View:
        """The projection."""
        return self.spec.view

    @property
    def dicom_name(self) -> str:
        """The image's path below the archive."""
        return f"{self.patient}/{self.study}.dcm"

    @property
    def report_name(self) -> str:
        """The report's path below the archive."""
        return f"{self.patient}/{self.study}.txt"

    def relevant(self) -> frozenset[tuple[Finding, Region]]:
        """Return what the study shows, as (finding, region) pairs: two studies that share one match."""
        return frozenset((x.lesion.finding, region) for x in self.lesions for region in x.regions)


def true_study(planned: PlannedStudy, image: PhantomImage) -> TrueStudy:
    """Return the truth of a rendered study."""
    return TrueStudy(
        study=planned.study,
        patient=planned.patient,
        visit=planned.visit,
        split=planned.split,
        variant=planned.variant,
        spec=planned.spec,
        sex=image.sex,
        age=image.age,
        size=image.pixels.shape[0],
        lesions=tuple(
            TrueLesion(found.lesion, found.regions, found.box, EncodedMask.from_mask(found.mask))
            for found in image.findings
        ),
        boxes=dict(image.boxes),
    )


def truth_line(truth: TrueStudy) -> str:
    """Return a study's truth as one line of JSON."""
    return json.dumps(
        {
            "study": truth.study,
            "patient": truth.patient,
            "visit": truth.visit,
            "split": truth.split.value,
            "variant": truth.variant.value,
            "view": truth.view.value,
            "sex": truth.sex,
            "age": truth.age,
            "size": truth.size,
            "patient_seed": truth.spec.patient_seed,
            "study_seed": truth.spec.study_seed,
            "lesions": [_lesion_json(lesion) for lesion in truth.lesions],
            "boxes": {
                region.value: _rounded(truth.boxes[region]) for region in REGIONS if region in truth.boxes
            },
        },
        separators=(",", ":"),
    )


def read_truth(path: Path) -> tuple[TrueStudy, ...]:
    """Read a truth file.

    Parameters
    ----------
    path : Path
        The file, or the archive that holds it.

    Raises
    ------
    ArchiveError
        The file is missing, or a line of it is not what `truth_line` writes.
    """
    file = path / TRUTH_NAME if path.is_dir() else path
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ArchiveError(
            f"the truth of a phantom archive cannot be read ({error})",
            where=str(file),
            remedy="Give the folder that `edge-retrieve phantom` wrote",
        ) from error
    studies = []
    for number, line in enumerate(lines, 1):
        try:
            studies.append(_study(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArchiveError(
                f"line {number} is no study ({type(error).__name__}: {error})",
                where=str(file),
                remedy="Write the archive again: the file was changed or cut short",
            ) from error
    return tuple(studies)


def _lesion_json(truth: TrueLesion) -> dict[str, Any]:
    return {
        "finding": truth.lesion.finding.value,
        "region": truth.lesion.region.value,
        "regions": [region.value for region in truth.regions],
        "severity": truth.lesion.severity.value,
        "seed": truth.lesion.seed,
        "box": _rounded(truth.box),
        "mask": {"size": [truth.mask.height, truth.mask.width], "counts": list(truth.mask.counts)},
    }


def _rounded(box: Box) -> list[float]:
    return [round(edge, 3) for edge in box.as_tuple()]


def _lesion(fields: dict[str, Any]) -> TrueLesion:
    lesion = Lesion(
        Finding(fields["finding"]),
        Region(fields["region"]),
        Severity(fields["severity"]),
        int(fields["seed"]),
    )
    height, width = fields["mask"]["size"]
    mask = EncodedMask(int(height), int(width), tuple(int(count) for count in fields["mask"]["counts"]))
    return TrueLesion(lesion, tuple(Region(name) for name in fields["regions"]), Box(*fields["box"]), mask)


def _study(fields: dict[str, Any]) -> TrueStudy:
    lesions = tuple(_lesion(lesion) for lesion in fields["lesions"])
    spec = CaseSpec(
        patient_seed=int(fields["patient_seed"]),
        study_seed=int(fields["study_seed"]),
        view=View(fields["view"]),
        lesions=tuple(lesion.lesion for lesion in lesions),
    )
    return TrueStudy(
        study=str(fields["study"]),
        patient=str(fields["patient"]),
        visit=int(fields["visit"]),
        split=Split(fields["split"]),
        variant=Variant(fields["variant"]),
        spec=spec,
        sex=str(fields["sex"]),
        age=int(fields["age"]),
        size=int(fields["size"]),
        lesions=lesions,
        boxes={Region(name): Box(*edges) for name, edges in fields["boxes"].items()},
    )
