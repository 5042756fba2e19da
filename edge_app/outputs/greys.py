"""The grey scale that the reader saw, told to a presentation state: what `Radiograph.applied` records."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from edge_retrieve.edge_app.outputs.source import SourceImage
from edge_retrieve.runtime.preprocess.header import Header

_RANGE = re.compile(r"range: (\S+) to (\S+) ")
_TABLE = ("LUTDescriptor", "LUTExplanation", "ModalityLUTType", "LUTData")
_FUNCTIONS = {"LINEAR", "LINEAR_EXACT", "SIGMOID"}


def add_greys(state: Dataset, source: SourceImage) -> None:
    """Write the steps from stored values to display into a presentation state (PS3.4 N.2).

    Parameters
    ----------
    state : pydicom.dataset.Dataset
        Changed in place: its Modality LUT, Softcopy VOI LUT and Softcopy Presentation LUT modules.
    source : SourceImage
    """
    header, applied = source.header, source.radiograph.applied
    if _was(applied, "modality LUT:"):
        table = _table(header, "ModalityLUTSequence")
        table.ModalityLUTType = table.get("ModalityLUTType") or "US"
        state.ModalityLUTSequence = [table]
    elif _was(applied, "rescale:"):
        slope, intercept = header.numbers("RescaleSlope"), header.numbers("RescaleIntercept")
        state.RescaleSlope = format_number_as_ds((slope or (1.0,))[0])
        state.RescaleIntercept = format_number_as_ds((intercept or (0.0,))[0])
        state.RescaleType = "US"  # unspecified: of a projection it is no physical unit
    voi = _voi(header, applied)
    if len(voi):
        state.SoftcopyVOILUTSequence = [voi]
    # The table of the state replaces the inversion that MONOCHROME1 asks for, it does not follow it.
    state.PresentationLUTShape = "INVERSE" if _was(applied, "inverted:") else "IDENTITY"


def _voi(header: Header, applied: tuple[str, ...]) -> Dataset:
    item = Dataset()
    automatic = next((match for step in applied if (match := _RANGE.match(step))), None)
    if _was(applied, "VOI LUT:"):
        item.VOILUTSequence = [_table(header, "VOILUTSequence")]
    elif _was(applied, "VOI window"):
        _set_window(item, header.numbers("WindowCenter")[0], header.numbers("WindowWidth")[0])
        function = header.word("VOILUTFunction")
        if function in _FUNCTIONS - {"LINEAR"}:
            item.VOILUTFunction = function
    elif automatic is not None:
        low, high = float(automatic[1]), float(automatic[2])
        # The window that maps `low` to black and `high` to white (PS3.3 C.11.2.1.2).
        _set_window(item, (low + high + 1.0) / 2.0, high - low + 1.0)
    return item


def _set_window(item: Dataset, center: float, width: float) -> None:
    item.WindowCenter, item.WindowWidth = format_number_as_ds(center), format_number_as_ds(width)


def _table(header: Header, keyword: str) -> Dataset:
    held = header.items(keyword)[0].dataset
    table = Dataset()
    for name in _TABLE:
        if name in held:
            table[name] = held[name]
    return table


def _was(applied: tuple[str, ...], step: str) -> bool:
    return any(done.startswith(step) for done in applied)
