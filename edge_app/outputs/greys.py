"""The grey scale that the reader saw, told to a presentation state: what `Radiograph.applied` records."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from edge_retrieve.edge_app.outputs.source import SourceImage
from edge_retrieve.runtime.preprocess.decode import Grey, decode
from edge_retrieve.runtime.preprocess.grayscale import count_codes, display_table
from edge_retrieve.runtime.preprocess.header import Header

_RANGE = re.compile(r"range: (\S+) to (\S+) ")
_BITS = 16
_CURVES = {"LINEAR_EXACT", "SIGMOID"}


def add_greys(state: Dataset, source: SourceImage) -> None:
    """Write the steps from stored values to display into a presentation state (PS3.4 N.2).

    Rescale and window stay what they are, so that a reader can go on from them. Tables of a file, which come
    in more forms than a state may have, become one table from stored values to display.

    Parameters
    ----------
    state : pydicom.dataset.Dataset
        Changed in place: its Modality LUT, Softcopy VOI LUT and Softcopy Presentation LUT modules.
    source : SourceImage
    """
    header, applied = source.header, source.radiograph.applied
    if _was(applied, "modality LUT:") or _was(applied, "VOI LUT:"):
        state.SoftcopyVOILUTSequence = [_table(source)]
        state.PresentationLUTShape = "IDENTITY"  # the table has the inversion in it
        return
    if _was(applied, "rescale:"):
        slope, intercept = header.numbers("RescaleSlope"), header.numbers("RescaleIntercept")
        state.RescaleSlope = format_number_as_ds((slope or (1.0,))[0])
        state.RescaleIntercept = format_number_as_ds((intercept or (0.0,))[0])
        state.RescaleType = "US"  # unspecified: of a projection it is no physical unit
    window = _window(header, applied)
    if window is not None:
        state.SoftcopyVOILUTSequence = [window]
    # In place of the inversion that MONOCHROME1 asks for, not after it.
    state.PresentationLUTShape = "INVERSE" if _was(applied, "inverted:") else "IDENTITY"


def _window(header: Header, applied: tuple[str, ...]) -> Dataset | None:
    automatic = next((match for step in applied if (match := _RANGE.match(step))), None)
    item = Dataset()
    if _was(applied, "VOI window"):
        center, width = header.numbers("WindowCenter")[0], header.numbers("WindowWidth")[0]
        if header.word("VOILUTFunction") in _CURVES:
            item.VOILUTFunction = header.word("VOILUTFunction")
    elif automatic is not None:
        low, high = float(automatic[1]), float(automatic[2])
        # The window that maps `low` to black and `high` to white (PS3.3 C.11.2.1.2).
        center, width = (low + high + 1.0) / 2.0, high - low + 1.0
    else:
        return None
    item.WindowCenter, item.WindowWidth = format_number_as_ds(center), format_number_as_ds(width)
    return item


def _table(source: SourceImage) -> Dataset:
    """Return the display of every stored value as a table of 16 bits."""
    dataset = pydicom.dcmread(io.BytesIO(Path(source.where).read_bytes()), force=True)
    meta, header = getattr(dataset, "file_meta", Dataset()), Header(dataset)
    picture = decode(header, meta.get("TransferSyntaxUID", ExplicitVRLittleEndian), source.where)
    assert isinstance(picture, Grey)  # tables were applied to it
    counts = count_codes(picture.codes, picture.form.bits)
    shown = display_table(header, picture.form, counts, source.where).intensity
    levels = picture.form.levels()
    entries = np.rint(shown[np.argsort(levels)].astype(np.float64) * (2**_BITS - 1))
    if entries.size < 2**_BITS:
        # A stored value that there is not, white: `dciodvfy` takes 16 bits only where some entry needs them.
        entries = np.append(entries, 2**_BITS - 1)
    first = int(levels.min())
    count = entries.size % 2**_BITS
    if first < 0 and count >= 2 ** (_BITS - 1):
        count -= 2**_BITS  # the descriptor is of signed numbers then
    table, item = Dataset(), Dataset()
    table.add_new("LUTDescriptor", "SS" if first < 0 else "US", [count, first, _BITS])
    table.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    item.VOILUTSequence = [table]
    return item


def _was(applied: tuple[str, ...], step: str) -> bool:
    return any(done.startswith(step) for done in applied)
