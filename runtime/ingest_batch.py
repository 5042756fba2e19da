"""What an ingest encodes and commits together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge_retrieve.runtime.encoder import ImageEncoding, PreparedImage
from edge_retrieve.runtime.preprocess.assemble import patient_from_pixels
from edge_retrieve.runtime.preprocess.grey import GreyScale
from edge_retrieve.runtime.preprocess.types import Radiograph
from edge_retrieve.runtime.report_sources import ReportEntry
from edge_retrieve.runtime.store import NewEncoding, NewImage, ReadFile


@dataclass(frozen=True)
class Pending:
    """An image that waits for its batch.

    Parameters
    ----------
    path : Path
    radiograph : Radiograph
    entry : ReportEntry
    study : str
        Its study's identifier in the store.
    prepared : PreparedImage
    preview : bytes
        PNG of grey values.
    scale : GreyScale or None
        What the grey values mean.
    source : str
        Where the store says the image comes from.
    """

    path: Path
    radiograph: Radiograph
    entry: ReportEntry
    study: str
    prepared: PreparedImage
    preview: bytes
    scale: GreyScale | None
    source: str


@dataclass
class Batch:
    """Images and reports that are encoded and committed together, and the files that they came from.

    Parameters
    ----------
    images : list of Pending
    reports : dict of str to str
        Texts by study.
    files : list of ReadFile
        Noted in the same transaction.
    """

    images: list[Pending] = field(default_factory=list)
    reports: dict[str, str] = field(default_factory=dict)
    files: list[ReadFile] = field(default_factory=list)

    def holds(self, radiograph: Radiograph) -> bool:
        """Return whether an image is among them, by its SOP instance or its pixels."""
        return any(
            radiograph.sop_instance == item.radiograph.sop_instance
            or radiograph.pixels_sha256 == item.radiograph.pixels_sha256
            for item in self.images
        )


def new_image(item: Pending, encoding: ImageEncoding | None) -> NewImage:
    """Return an image as it is stored; without an encoding it is kept and not searched."""
    radiograph, entry = item.radiograph, item.entry
    made_up = radiograph.patient == patient_from_pixels(radiograph.pixels_sha256)
    return NewImage(
        study=item.study,
        patient=(made_up and entry.patient) or radiograph.patient,
        study_date=radiograph.study_date or entry.study_date,
        sex=radiograph.sex or entry.sex,
        age=entry.age if radiograph.age is None else radiograph.age,
        sop_instance=radiograph.sop_instance,
        pixels_sha256=radiograph.pixels_sha256,
        source=item.source,
        view=radiograph.view,
        width=item.prepared.width,
        height=item.prepared.height,
        flags=radiograph.flags,
        applied=radiograph.applied,
        preview=item.preview,
        accession=radiograph.accession,
        scale=item.scale,
        encoding=None
        if encoding is None
        else NewEncoding(
            boxes=encoding.boxes,
            box_scores=encoding.box_scores,
            regions=encoding.regions,
            global_embedding=encoding.global_embedding,
        ),
    )
