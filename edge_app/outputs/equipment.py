"""What the headers of all our DICOM objects say of who made them, and how they become files."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM

from edge_retrieve.edge_app.outputs import codes
from edge_retrieve.edge_app.outputs.content import Content
from edge_retrieve.edge_app.outputs.kinds import Output, OutputKind
from edge_retrieve.edge_app.outputs.source import SourceImage
from edge_retrieve.edge_app.outputs.uids import name_based_uid
from edge_retrieve.runtime.preprocess.quiet import captured_warnings

MANUFACTURER = "edge-retrieve"
_LONGEST = 64  # characters of an LO
# High numbers keep our series behind the images in lists sorted by number.
_SERIES_NUMBERS = {OutputKind.SR: 9301, OutputKind.GSPS: 9302, OutputKind.SC: 9303}
_SERIES_DESCRIPTIONS = {
    OutputKind.SR: "Similar cases (report)",
    OutputKind.GSPS: "Similar cases (outlines)",
    OutputKind.SC: "Similar cases (page)",
}


@dataclass(frozen=True)
class Identity:
    """The UIDs and the equipment of one new object, as highdicom takes them.

    Parameters
    ----------
    series_uid, sop_uid : str
    series_number : int
    series_description : str
    model_name, software, serial_number : str
    """

    series_uid: str
    sop_uid: str
    series_number: int
    series_description: str
    model_name: str
    software: str
    serial_number: str


def identity_of(kind: OutputKind, source: SourceImage, content: Content, *more: str) -> Identity:
    """Return the identity of an object; equal sources and contents, and `more` of them, give equal UIDs.

    Each object is in a series of its own: a series holds what one piece of equipment made at one time.
    """
    parts = (kind.value, source.study, source.sop_instance, repr(content), *more)
    origin = content.origin
    return Identity(
        series_uid=name_based_uid("series", *parts),
        sop_uid=name_based_uid("instance", *parts),
        series_number=_SERIES_NUMBERS[kind],
        series_description=_SERIES_DESCRIPTIONS[kind],
        model_name=origin.model_id[:_LONGEST],
        software=f"edge-retrieve {origin.software}"[:_LONGEST],
        serial_number=origin.bundle_id[:_LONGEST],
    )


def coded(code: codes.Code) -> CodedConcept:
    """Return a code as highdicom takes it."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def own_scheme() -> CodingSchemeIdentificationItem:
    """Return what says whose scheme our own codes are of (PS3.3 C.12.1.1.1)."""
    item = CodingSchemeIdentificationItem(
        codes.OWN, name=codes.OWN_NAME, responsible_organization=codes.OWN_ORGANIZATION
    )
    item.CodingSchemeUID = codes.OWN_UID
    return item


def to_output(kind: OutputKind, dataset: Dataset, source: SourceImage, content: Content) -> Output:
    """Return a finished object as a file.

    The times highdicom takes from the clock become those of the content: equal contents, equal bytes.
    """
    made = content.made.replace(tzinfo=None)
    for event in ("InstanceCreation", "Content", "PresentationCreation"):
        if f"{event}Date" in dataset:
            setattr(dataset, f"{event}Date", DA(made.date()))
            setattr(dataset, f"{event}Time", TM(made.time()))
    if "DateOfSecondaryCapture" in dataset:
        dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture = DA(made.date()), TM(made.time())
    dataset.SeriesDate, dataset.SeriesTime = DA(made.date()), TM(made.time())
    for item in dataset.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in item:
            item.ContributionDateTime = DT(made)
    stream = BytesIO()
    with captured_warnings():
        dataset.save_as(stream, enforce_file_format=True)
    return Output(
        kind=kind,
        file_name=f"{kind.value}.dcm",
        media_type="application/dicom",
        data=stream.getvalue(),
        sop_class=str(dataset.SOPClassUID),
        sop_instance=str(dataset.SOPInstanceUID),
        study=source.study,
    )
