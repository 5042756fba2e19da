"""How an X-ray is shown: the one definition of grey on a screen, and the pictures made by it."""

from __future__ import annotations

import io
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_retrieve.runtime.errors import UnreadableFileError
from edge_retrieve.runtime.preprocess.grey import BYTE_TOP, GreyArray, GreyImage, Window
from edge_retrieve.runtime.preprocess.letterbox import resize
from edge_retrieve.runtime.preprocess.types import FloatImage

ByteImage = npt.NDArray[np.uint8]


def show(values: GreyArray, window: Window, *, invert: bool = False) -> ByteImage:
    """Return grey values through a window.

    ``floor(255 clamp((v - center) / width + 1/2, 0, 1) + 1/2)``, in 64-bit floating point: what a page that
    does the same in JavaScript shows, to the grey level.

    Parameters
    ----------
    values : uint16 array of shape [H, W]
    window : Window
        Its width is above 0.
    invert : bool
        Show dense dark.
    """
    if not window.width > 0:
        raise ValueError(f"a window of width {window.width} shows nothing")
    levels = np.arange(int(values.max(initial=0)) + 1, dtype=np.float64)
    share = np.clip((levels - window.center) / window.width + 0.5, 0.0, 1.0)
    grey = np.floor(255.0 * (1.0 - share if invert else share) + 0.5).astype(np.uint8)
    return np.asarray(grey[values])


def grey_png(image: GreyImage) -> bytes:
    """Return grey values as a lossless PNG, of 8 bits where they fit."""
    return _png(image.values.astype(np.uint8) if image.scale.top <= BYTE_TOP else image.values)


def read_grey_png(data: bytes, where: str) -> GreyArray:
    """Return the values of a PNG of 8 or 16 bits, as `grey_png` writes it.

    Raises
    ------
    UnreadableFileError
        Where it is none.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.mode not in {"L", "I;16", "I"}:
                picture = picture.convert("L")
            return np.asarray(picture).astype(np.uint16)
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadableFileError(
            "the stored picture cannot be read", where=where, remedy="Ingest the study again"
        ) from error


def shown_png(image: GreyImage, window: Window | None = None, *, invert: bool = False) -> bytes:
    """Return an 8-bit PNG of grey values through a window, the image's first where None."""
    return _png(show(image.values, window or image.scale.windows[0], invert=invert))


def render_png(pixels: FloatImage, max_side: int) -> bytes:
    """Return an 8-bit grey PNG of an image, scaled down where its longer side exceeds `max_side`.

    Parameters
    ----------
    pixels : float32 array of shape [H, W]
        Display intensity, 0 to 1.
    max_side : int
        Longest side of the picture, pixels, at least 1. Smaller images keep their size.
    """
    if pixels.ndim != 2 or max_side < 1:
        raise ValueError(f"cannot render an array of shape {pixels.shape} to a side of {max_side}")
    height, width = pixels.shape
    scale = min(1.0, max_side / max(height, width))
    scaled = resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
    return _png(np.rint(np.clip(scaled, 0.0, 1.0) * 255.0).astype(np.uint8))


def _png(grey: ByteImage | GreyArray) -> bytes:
    stream = io.BytesIO()
    # On X-rays run-length matching is five times as fast as zlib's default search, and 6 % smaller.
    Image.fromarray(grey).save(stream, format="PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return stream.getvalue()
