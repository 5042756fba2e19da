"""Turning an image so that the patient's right is on the image's left and the head is up."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.letterbox import resize
from edge_retrieve.runtime.preprocess.types import FloatImage

Kind = TypeVar("Kind", bound=np.generic)

# Pixels closer to square than this are left alone: spacings are rounded in headers.
SQUARE_TOLERANCE = 0.01
MAX_ASPECT = 4.0


def row_and_column_direction(header: Header) -> tuple[str, str]:
    """Return where rows and columns run, each one of ``L R A P H F`` or empty where not stated.

    From Patient Orientation (PS3.3 C.7.6.1.1.1), else from Image Orientation (Patient) where that gives
    the coronal or sagittal plane of a projection; the axial default that converters write says nothing.
    """
    stated = header.texts("PatientOrientation")
    if len(stated) >= 2:
        row, column = (text[:1].upper() for text in stated[:2])
        return row, column
    cosines = header.numbers("ImageOrientationPatient")
    if len(cosines) == 6:
        row, column = _letter(cosines[:3]), _letter(cosines[3:])
        if {row, column} & {"H", "F"}:
            return row, column
    return "", ""


def _letter(direction: tuple[float, ...]) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return ("RL", "AP", "FH")[axis][int(direction[axis] > 0)]


def upright(image: npt.NDArray[Kind], row: str, column: str) -> tuple[npt.NDArray[Kind], str]:
    """Turn an image to rows that run to the patient's left and columns that run to the feet.

    Parameters
    ----------
    image : array of shape [H, W]
    row, column : str
        Where rows (left to right) and columns (top to bottom) run in the file.

    Returns
    -------
    image : array of shape [H, W] or [W, H]
        A view of the input.
    step : str
        What was done, empty where nothing was. Front and back are left as they are: both sides of a lateral
        view are in use.
    """
    before = f"{row or '?'}\\{column or '?'}"
    steps = []
    if row in {"H", "F"} and column in {"L", "R", "A", "P"}:
        image, row, column = image.T, column, row
        steps.append("rows and columns swapped")
    if row == "R" and column in {"H", "F"}:
        image = image[:, ::-1]
        steps.append("mirrored left to right")
    if column == "H" and row in {"L", "R", "A", "P"}:
        image = image[::-1]
        steps.append("turned upside down")
    return image, f"orientation {before}: {', '.join(steps)}" if steps else ""


def pixel_aspect(header: Header) -> float | None:
    """Return the height of a pixel over its width, None where not stated or not usable."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        pair = header.numbers(keyword)
        if len(pair) >= 2 and pair[0] > 0 and pair[1] > 0:
            return pair[0] / pair[1]
    return None


def square_pixels(pixels: FloatImage, aspect: float) -> FloatImage:
    """Stretch the axis with the wider spacing so that pixels become square.

    Parameters
    ----------
    pixels : float32 array of shape [H, W]
    aspect : float
        Pixel height over pixel width.
    """
    height, width = pixels.shape
    if aspect > 1.0:
        return resize(pixels, width, max(1, round(height * aspect)))
    return resize(pixels, max(1, round(width / aspect)), height)
