"""A PNG or JPEG file to a radiograph."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from edge_retrieve.runtime.errors import PixelError, UnreadableFileError, UnsupportedImageError
from edge_retrieve.runtime.preprocess import checks
from edge_retrieve.runtime.preprocess.assemble import Identity, assemble
from edge_retrieve.runtime.preprocess.colour import to_grey
from edge_retrieve.runtime.preprocess.grayscale import (
    CLIPPED_FRACTION,
    FEW_GREY_LEVELS,
    clipped_range,
    count_codes,
)
from edge_retrieve.runtime.preprocess.grey import BYTE_TOP, GreyImage, displayed, linear
from edge_retrieve.runtime.preprocess.quiet import captured_warnings
from edge_retrieve.runtime.preprocess.types import Flag, FloatImage, Radiograph, View

# A 16-bit picture whose brightest pixel needs 14 bits or fewer holds detector values, not display values:
# shown as it is, it would be nearly black.
_DETECTOR_RANGE = 2**14


def load_raster(path: Path, data: bytes, view: View | None, *, grey: bool = False) -> Radiograph:
    """Read a PNG or JPEG image.

    Parameters
    ----------
    path : Path
        Named in errors.
    data : bytes
        The whole file.
    view : View or None
        The projection, which these formats cannot state.
    grey : bool
        Keep the grey values, too.

    Raises
    ------
    UnreadableFileError
        Truncated, damaged, or a kind of JPEG that is not decoded (12 bits, lossless).
    UnsupportedImageError
        Animated, too small, too large or blank.
    """
    where = str(path)
    applied: list[str] = []
    flags: list[Flag] = []
    with captured_warnings():
        try:
            pixels, values = _decode(data, where, applied, flags, grey=grey)
        except PixelError:
            raise
        except Image.DecompressionBombError as error:
            raise UnsupportedImageError(
                "the image claims more pixels than any X-ray has",
                where=where,
                remedy="Give the original image",
            ) from error
        except Exception as error:
            # Pillow's readers meet arbitrary bytes here and raise many types.
            raise UnreadableFileError(
                "the picture is truncated, damaged or of a kind that is not decoded",
                where=where,
                remedy="Copy the file again, or save it as 8-bit PNG or JPEG",
            ) from error
    return assemble(pixels, view, View.UNKNOWN, "view: not stated", Identity(), applied, flags, values)


def _decode(
    data: bytes, where: str, applied: list[str], flags: list[Flag], *, grey: bool
) -> tuple[FloatImage, GreyImage | None]:
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
        checks.check_size(image.width, image.height, where)
        if getattr(image, "n_frames", 1) > 1:
            raise UnsupportedImageError(
                f"the picture has {image.n_frames} frames",
                where=where,
                remedy="Give one picture a file",
            )
        image.load()
        applied.append(f"decoded: {image.format} {image.mode}")
        return _to_pixels(_upright(image, applied, flags), where, applied, flags, grey=grey)


def _upright(image: Image.Image, applied: list[str], flags: list[Flag]) -> Image.Image:
    """Turn the picture as its EXIF orientation asks."""
    try:
        orientation = image.getexif().get(0x0112, 1)
        if orientation in range(2, 9):
            applied.append(f"EXIF orientation {orientation} undone")
            flags.append(Flag.REORIENTED)
            return ImageOps.exif_transpose(image)
    except Exception:
        # EXIF is free-form data from outside; the picture is readable without it.
        applied.append("ignored: unreadable EXIF data")
        flags.append(Flag.HEADER_IGNORED)
    return image


def _to_pixels(
    image: Image.Image, where: str, applied: list[str], flags: list[Flag], *, grey: bool
) -> tuple[FloatImage, GreyImage | None]:
    values: GreyImage | None = None
    if "A" in image.getbands() or "transparency" in image.info:
        cover = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), cover).convert("RGB")
        applied.append("alpha composed over black")
    if image.mode in {"I;16", "I;16B", "I;16L", "I;16N", "I"}:
        levels = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        counts = count_codes(levels, 16)
        edges, name = _wide(counts, where, applied, flags)
        table = _between(edges)
        pixels, grey_levels = table[levels], np.unique(table[counts > 0]).size
        if grey:
            codes = np.arange(counts.size, dtype=np.float64)
            wide, scale = linear(codes, counts > 0, [(name, *edges)], inverted=False)
            values = GreyImage(wide[levels], scale)
    elif image.mode in {"L", "1"}:
        plain = image.convert("L")
        pixels = (np.arange(256, dtype=np.float32) / np.float32(255))[np.asarray(plain)]
        grey_levels = sum(count > 0 for count in plain.histogram())
        applied.append("range: 0 to 255 as stored")
    else:
        colours = image.convert("RGB")
        pixels, coloured = to_grey(np.asarray(colours))
        grey_levels = sum(count > 0 for count in colours.convert("L").histogram())
        applied.append("range: 0 to 255 as stored")
        applied.append("colour reduced to luminance (BT.601)")
        if coloured:
            flags.append(Flag.COLOUR)
    checks.check_not_blank(pixels, where)
    if grey and values is None:
        values = GreyImage(*displayed(pixels, BYTE_TOP, "as stored"))
    if grey_levels < FEW_GREY_LEVELS:
        flags.append(Flag.LOW_DETAIL)
    return np.asarray(pixels, dtype=np.float32), values


def _wide(
    counts: npt.NDArray[np.int64], where: str, applied: list[str], flags: list[Flag]
) -> tuple[tuple[float, float], str]:
    """Return the levels that are black and white, and what to call that.

    Full scale where it is used, else the detector's range.
    """
    values = np.arange(counts.size, dtype=np.float64)
    checks.check_not_blank(values[counts > 0], where)
    if counts[_DETECTOR_RANGE:].any():
        applied.append("range: 0 to 65535 as stored")
        return (0.0, 65535.0), "as stored"
    low, high = clipped_range(values, counts)
    applied.append(f"range: {low:g} to {high:g} ({CLIPPED_FRACTION:.1%} clipped at each end, 16-bit file)")
    flags.append(Flag.NO_WINDOW)
    return (low, high), "automatic"


def _between(edges: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Return the intensity of each 16-bit level."""
    low, high = edges
    levels = np.arange(65536, dtype=np.float64)
    return np.asarray(np.clip((levels - low) / (high - low), 0.0, 1.0), dtype=np.float32)
