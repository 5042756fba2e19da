"""Grey values that a viewer can window: whole numbers, dense is bright, with the windows to begin with.

Where a file's own grey values lead to its display by a straight line, they are kept beyond the window that
the file names, so that a reader can look behind the heart; where a look-up table or a curve leads there, the
display itself is kept. Either way one linear window shows them (`render.show`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.preprocess.letterbox import resize

GreyArray = npt.NDArray[np.uint16]

TOP = 4095
"""The highest value of a scale of 12 bits, as detectors have: a window may be a third of it and still has
more grey levels than a screen."""
BYTE_TOP = 255

# How far values reach beyond the file's window, at each end, in widths of it.
_BEYOND = 1.0


class GreyKind(str, Enum):
    """What grey values are."""

    VALUES = "values"
    DISPLAY = "display"


@dataclass(frozen=True)
class Window:
    """A linear window, in units of the grey values.

    Parameters
    ----------
    name : str
        As a reader chooses it.
    center, width : float
        Values below ``center - width / 2`` are black, those above ``center + width / 2`` white.
    """

    name: str
    center: float
    width: float


@dataclass(frozen=True)
class GreyScale:
    """What grey values mean.

    Parameters
    ----------
    kind : GreyKind
    top : int
        The highest value there may be: 255 or 4095.
    windows : tuple of Window
        At least one; the first shows the image as the file asks.
    """

    kind: GreyKind
    top: int
    windows: tuple[Window, ...]

    @property
    def bits(self) -> int:
        """Bits that a value takes."""
        return self.top.bit_length()


@dataclass(frozen=True)
class GreyImage:
    """An image's grey values.

    Parameters
    ----------
    values : uint16 array of shape [H, W]
        0 to `scale.top`.
    scale : GreyScale
    """

    values: GreyArray
    scale: GreyScale

    def reduced(self, max_side: int) -> GreyImage:
        """Return it scaled down where its longer side exceeds `max_side`."""
        height, width = self.values.shape
        scale = min(1.0, max_side / max(height, width))
        if scale == 1.0:
            return self
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return GreyImage(whole(resize(self.values.astype(np.float32), *size), self.scale.top), self.scale)


def whole(values: npt.NDArray[np.floating], top: int) -> GreyArray:
    """Return values rounded to whole numbers from 0 to `top`."""
    return np.asarray(np.clip(np.rint(values), 0, top), dtype=np.uint16)


def full_range(top: int, name: str = "full range") -> Window:
    """Return the window that shows every value apart."""
    return Window(name, top / 2, float(top))


def displayed(intensity: npt.NDArray[np.floating], top: int, name: str) -> tuple[GreyArray, GreyScale]:
    """Return the values of display intensities, 0 to 1, of any shape."""
    return whole(np.asarray(intensity) * top, top), GreyScale(GreyKind.DISPLAY, top, (full_range(top, name),))


def linear(
    values: npt.NDArray[np.float64],
    shown: npt.NDArray[np.bool_],
    windows: Sequence[tuple[str, float, float]],
    *,
    inverted: bool,
) -> tuple[GreyArray, GreyScale]:
    """Return the values of a file's own grey values, which reach beyond its window.

    Parameters
    ----------
    values : float64 array of shape [N]
        The grey value of every code.
    shown : bool array of shape [N]
        Which codes the image has, padding left out.
    windows : sequence of (name, float, float)
        The values that are black and white, at least one; the first is the one to begin with.
    inverted : bool
        Whether low values are to be shown bright.
    """
    _, low, high = windows[0]
    reach = _BEYOND * (high - low)
    least, most = max(float(values[shown].min()), low - reach), min(float(values[shown].max()), high + reach)
    if least >= most:  # a window that the image just touches
        least, most = low, high

    def scaled(value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        share = (value - least) / (most - least)
        return np.asarray(TOP * (1.0 - share if inverted else share))

    presets = []
    for name, start, end in windows:
        first, last = sorted(scaled(np.asarray([start, end])).tolist())
        presets.append(Window(name, round((first + last) / 2, 3), round(last - first, 3)))
    if abs(presets[0].center - TOP / 2) > 1 or abs(presets[0].width - TOP) > 1:
        presets.append(full_range(TOP))
    return whole(scaled(values), TOP), GreyScale(GreyKind.VALUES, TOP, tuple(presets))
