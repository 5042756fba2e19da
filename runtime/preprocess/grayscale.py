"""From stored DICOM values to display intensity: one table that holds the whole grey-scale chain.

Modality LUT → VOI LUT or window → inversion, in the order of the DICOM standard (PS3.4 N.2). Stored values
have at most 16 bits, so the chain is computed once per possible value and applied by a look-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.errors import UnreadableFileError
from edge_retrieve.runtime.preprocess.checks import check_not_blank
from edge_retrieve.runtime.preprocess.grey import TOP, GreyArray, GreyScale, displayed, linear
from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.types import Flag, UIntImage
from edge_retrieve.runtime.preprocess.windows import NamedEdges, file_windows, window

Values = npt.NDArray[np.float64]

# What is clipped at each end where no window is given: collimator edges, markers and dead pixels would
# otherwise set the range.
CLIPPED_FRACTION = 0.001
FEW_GREY_LEVELS = 64


@dataclass(frozen=True)
class StoredForm:
    """How stored values are coded.

    Parameters
    ----------
    bits : int
        Bits stored, 1 to 16; a code is that many bits, without sign.
    signed : bool
        Whether codes are two's complement.
    """

    bits: int
    signed: bool

    def levels(self) -> Values:
        """Return the stored value of every code, shape [2 ** bits]."""
        return self.level(np.arange(2**self.bits, dtype=np.int64))

    def level(self, codes: npt.NDArray[np.int64]) -> Values:
        """Return stored values of codes (low `bits` bits only), sign-extended where signed."""
        low = codes & (2**self.bits - 1)
        if self.signed:
            low = np.where(low >= 2 ** (self.bits - 1), low - 2**self.bits, low)
        return np.asarray(low, dtype=np.float64)


@dataclass(frozen=True)
class DisplayTable:
    """The grey-scale chain of one image.

    Parameters
    ----------
    intensity : float32 array of shape [2 ** bits]
        Display intensity, 0 to 1, of every code.
    grey : uint16 array of shape [2 ** bits]
        Grey value of every code, for a viewer to window.
    scale : GreyScale
        What grey values mean.
    applied : tuple of str
    flags : tuple of Flag
    """

    intensity: npt.NDArray[np.float32]
    grey: GreyArray
    scale: GreyScale
    applied: tuple[str, ...]
    flags: tuple[Flag, ...]


def display_table(
    header: Header, form: StoredForm, histogram: npt.NDArray[np.int64], where: str
) -> DisplayTable:
    """Build the table for one image.

    Parameters
    ----------
    header : Header
        The image's attributes.
    form : StoredForm
    histogram : int64 array of shape [2 ** bits]
        How many pixels have each code.
    where : str
        The file, for errors.

    Returns
    -------
    DisplayTable

    Raises
    ------
    UnreadableFileError
        Where the rescale or a look-up table the values depend on is damaged.
    UnsupportedImageError
        Where all pixels have one value, or all are padding.
    """
    applied: list[str] = []
    flags: list[Flag] = []
    levels = form.levels()
    padding = _padding(header, form, levels)
    if bool(histogram[padding].any()):
        applied.append("pixel padding: painted black, left out of the range")
    shown = (histogram > 0) & ~padding
    values = _modality(header, form, levels, applied, where)
    check_not_blank(values[shown], where)
    display, windows = _voi(header, values, shown, applied, flags)
    if display is None:
        low, high = clipped_range(values, np.where(shown, histogram, 0))
        display, windows = np.clip((values - low) / (high - low), 0.0, 1.0), [("automatic", low, high)]
        applied.append(f"range: {low:g} to {high:g} ({CLIPPED_FRACTION:.1%} clipped at each end, no window)")
        flags.append(Flag.NO_WINDOW)
    inverted = _inverted(header, applied, flags)
    if inverted:
        display = 1.0 - display
    display[padding] = 0.0
    if windows:
        grey, scale = linear(values, shown, windows, inverted=inverted)
    else:
        grey, scale = displayed(display, TOP, "of the file")
    grey[padding] = 0
    if np.unique(display[shown]).size < FEW_GREY_LEVELS:
        flags.append(Flag.LOW_DETAIL)
    return DisplayTable(display.astype(np.float32), grey, scale, tuple(applied), tuple(flags))


def count_codes(codes: UIntImage, bits: int) -> npt.NDArray[np.int64]:
    """Count the pixels of each code, shape [2 ** bits].

    A block of rows at a time: `bincount` widens its input to 64 bits.
    """
    counts = np.zeros(2**bits, dtype=np.int64)
    for start in range(0, codes.shape[0], 256):
        counts += np.bincount(codes[start : start + 256].ravel(), minlength=counts.size)
    return counts


def clipped_range(values: Values, histogram: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return the values that leave `CLIPPED_FRACTION` of the pixels out at each end.

    Both are values that occur (the inverted empirical distribution); the full range where they coincide.
    """
    order = np.argsort(values, kind="stable")
    ordered, counts = values[order], histogram[order].astype(np.float64)
    share = np.cumsum(counts) / counts.sum()
    low = float(ordered[np.searchsorted(share, CLIPPED_FRACTION)])
    high = float(ordered[np.searchsorted(share, 1.0 - CLIPPED_FRACTION)])
    if low == high:
        present = ordered[counts > 0]
        low, high = float(present[0]), float(present[-1])
    return low, high


def _padding(header: Header, form: StoredForm, levels: Values) -> npt.NDArray[np.bool_]:
    """Return which codes are padding (PS3.3 C.7.5.1.1.2)."""
    value, limit = header.integer("PixelPaddingValue"), header.integer("PixelPaddingRangeLimit")
    if value is None:
        return np.zeros(levels.shape, dtype=np.bool_)
    # Through codes, because writers give a signed padding value with an unsigned VR and the reverse.
    ends = form.level(np.asarray([value, value if limit is None else limit], dtype=np.int64))
    found: npt.NDArray[np.bool_] = (levels >= ends.min()) & (levels <= ends.max())
    return found


def _modality(header: Header, form: StoredForm, levels: Values, applied: list[str], where: str) -> Values:
    """Apply the Modality LUT or the rescale (PS3.3 C.11.1)."""
    tables = header.items("ModalityLUTSequence")
    if tables:
        table = _read_table(tables[0], signed_input=form.signed)
        if table is None:
            raise UnreadableFileError(
                "the Modality LUT is damaged", where=where, remedy="Export the image again"
            )
        applied.append(f"modality LUT: {table[0].size} entries")
        return _look_up(levels, *table[:2])
    slope, intercept = header.numbers("RescaleSlope"), header.numbers("RescaleIntercept")
    broken = {"RescaleSlope", "RescaleIntercept"} & header.damaged
    if broken or (slope and slope[0] == 0):
        raise UnreadableFileError(
            f"{' and '.join(sorted(broken)) or 'RescaleSlope'} is not a usable number",
            where=where,
            remedy="Correct the header or export the image again",
        )
    if not slope and not intercept:
        return levels
    factor, offset = (slope or (1.0,))[0], (intercept or (0.0,))[0]
    applied.append(f"rescale: slope {factor:g}, intercept {offset:g}")
    return levels * factor + offset


def _voi(
    header: Header, values: Values, shown: npt.NDArray[np.bool_], applied: list[str], flags: list[Flag]
) -> tuple[Values | None, Sequence[NamedEdges]]:
    """Apply the first VOI LUT, else the first window (PS3.3 C.11.2); None where neither is usable.

    Returns also the file's windows that are straight lines, the applied one first; none where it is a curve.
    """
    tables = header.items("VOILUTSequence")
    if tables:
        table = _read_table(tables[0], signed_input=bool(values.min() < 0))
        if table is not None:
            data, first, bits = table
            display = np.clip(_look_up(values, data, first) / (2.0**bits - 1), 0.0, 1.0)
            if np.ptp(display[shown]) > 0:
                applied.append(f"VOI LUT: {data.size} entries of {bits} bits (first of {len(tables)})")
                return display, ()
        applied.append("ignored: VOI LUT damaged or blank")
        flags.append(Flag.HEADER_IGNORED)
    centers, widths = header.numbers("WindowCenter"), header.numbers("WindowWidth")
    if not centers or not widths:
        return None, ()
    center, width = centers[0], widths[0]
    function = header.word("VOILUTFunction") or "LINEAR"
    if function not in {"LINEAR", "LINEAR_EXACT", "SIGMOID"}:
        applied.append("ignored: unknown VOI LUT Function, LINEAR used")
        flags.append(Flag.HEADER_IGNORED)
        function = "LINEAR"
    if width > 0 and not (function == "LINEAR" and width < 1):
        display = window(values, center, width, function)
        if np.ptp(display[shown]) > 0:
            applied.append(
                f"VOI window {function}: center {center:g}, width {width:g} (first of {len(centers)})"
            )
            straight = file_windows(header, function) if width > 1 or function != "LINEAR" else ()
            return display, straight
    applied.append(f"ignored: window center {center:g}, width {width:g} shows nothing")
    flags.append(Flag.HEADER_IGNORED)
    return None, ()


def _inverted(header: Header, applied: list[str], flags: list[Flag]) -> bool:
    """Return whether low values are to be shown bright.

    A DX header says so twice (MONOCHROME1 comes with Presentation LUT Shape INVERSE, PS3.3 C.8.11.3.1.2):
    the two name one inversion, not two. Where they disagree either of them is enough, and that is flagged.
    """
    photometric = header.word("PhotometricInterpretation")
    shape = header.word("PresentationLUTShape")
    if photometric == "MONOCHROME1":
        applied.append("inverted: MONOCHROME1")
        if shape == "IDENTITY":
            applied.append("ignored: Presentation LUT Shape IDENTITY contradicts MONOCHROME1")
            flags.append(Flag.HEADER_IGNORED)
        return True
    if shape == "INVERSE":
        applied.append("inverted: Presentation LUT Shape INVERSE")
        flags.append(Flag.HEADER_IGNORED)
        return True
    return False


def _read_table(item: Header, *, signed_input: bool) -> tuple[Values, int, int] | None:
    """Read a LUT sequence item (PS3.3 C.11.1.1): its data, first mapped value and bits; None if damaged."""
    descriptor = item.numbers("LUTDescriptor")
    if len(descriptor) != 3:
        return None
    entries, first, bits = (int(number) for number in descriptor)
    entries = entries % 65536 or 65536
    if signed_input and first > 32767:
        first -= 65536
    raw = item.raw("LUTData")
    if isinstance(raw, (bytes, bytearray)):
        packed = bits <= 8 and len(raw) < 2 * entries
        big = item.dataset.original_encoding[1] is False
        kind = np.dtype("u1") if packed else np.dtype(">u2" if big else "<u2")
        data = np.frombuffer(bytes(raw), dtype=kind, count=len(raw) // kind.itemsize).astype(np.float64)
    else:
        data = np.asarray(item.numbers("LUTData"), dtype=np.float64)
    if data.size < entries or not 1 <= bits <= 16:
        return None
    data = data[:entries]
    # Some writers leave the bits of the descriptor at 8 or 10 over wider data: believe the data.
    return data, first, max(bits, int(data.max()).bit_length())


def _look_up(values: Values, data: Values, first: int) -> Values:
    """Return table entries of values; those before the first and after the last take the end entries."""
    place = np.clip(np.rint(values) - first, 0, data.size - 1)
    return np.asarray(data[place.astype(np.int64)])
