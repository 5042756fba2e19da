"""The result as one picture for viewers that show nothing else: X-ray, outlines, cases, sentences.

No name, no identifier and no date of the patient is drawn: the header holds them, and viewers show them.
"""

from __future__ import annotations

import io
import textwrap
import unicodedata

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from edge_retrieve.edge_app.outputs.content import DISCLAIMER, CitedCase, Content, Place
from edge_retrieve.runtime.hits import RegionMatch
from edge_retrieve.runtime.preprocess import render_png
from edge_retrieve.runtime.preprocess.types import FloatImage

WIDTH, HEIGHT = 1600, 1200
_MARGIN = 40
_PICTURE = 1000  # side of the square that the X-ray fits in
_TOP = 110
_TEXT_LEFT = _MARGIN + _PICTURE + 40
_CHARACTERS = 58  # of a line of text beside the X-ray
_BACK, _INK, _QUIET = (12, 14, 18), (236, 238, 242), (166, 172, 184)
_WARN, _MODEL, _PERSON = (255, 196, 92), (94, 208, 250), (255, 196, 92)

_PUNCTUATION = {0x2013: "-", 0x2014: "-", 0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'}

ColourPage = npt.NDArray[np.uint8]


def draw_page(pixels: FloatImage, content: Content) -> ColourPage:
    """Return a result as a page.

    Parameters
    ----------
    pixels : float32 array of shape [H, W]
        The X-ray as displayed (`Radiograph.pixels`).
    content : Content

    Returns
    -------
    uint8 array of shape [1200, 1600, 3]
        RGB.
    """
    page = Image.new("RGB", (WIDTH, HEIGHT), _BACK)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, 28), "Similar cases", _INK, _font(34))
    draw.text((_TEXT_LEFT, 28), _drawable(content.status), _WARN, _font(22))
    draw.text((_TEXT_LEFT, 62), DISCLAIMER, _QUIET, _font(18))
    _draw_xray(page, draw, pixels, content)
    _draw_cases(draw, content)
    _draw_origin(draw, content)
    return np.asarray(page)


def _drawable(text: str) -> str:
    """Return a text in the letters that Pillow's own font has: plain ones for those with marks."""
    plain = text.translate(_PUNCTUATION)
    letters = (each for each in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(each))
    return "".join(each if " " <= each <= "~" else "?" for each in letters)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # shipped with Pillow


def _draw_xray(page: Image.Image, draw: ImageDraw.ImageDraw, pixels: FloatImage, content: Content) -> None:
    height, width = pixels.shape
    scale = min(_PICTURE / width, _PICTURE / height)
    shown = max(1, round(width * scale)), max(1, round(height * scale))
    with Image.open(io.BytesIO(render_png(pixels, max(pixels.shape)))) as picture:
        page.paste(picture.convert("RGB").resize(shown, Image.Resampling.LANCZOS), (_MARGIN, _TOP))
    for number, place in enumerate(content.places, 1):
        _draw_place(draw, place, number, scale)


def _draw_place(draw: ImageDraw.ImageDraw, place: Place, number: int, scale: float) -> None:
    colour = _PERSON if place.drawn else _MODEL
    x1, y1, x2, y2 = (edge * scale for edge in place.box.as_tuple())
    draw.rectangle((_MARGIN + x1, _TOP + y1, _MARGIN + x2, _TOP + y2), outline=colour, width=3)
    text, font = f"{number}  {place.name}", _font(20)
    at = (_MARGIN + x1 + 4, max(_TOP, _TOP + y1 - 28))
    draw.rectangle(draw.textbbox(at, text, font), fill=_BACK)
    draw.text(at, text, colour, font)


def _draw_cases(draw: ImageDraw.ImageDraw, content: Content) -> None:
    y = _line(draw, _TOP, content.outcome, 24, _INK)
    for number, place in enumerate(content.places, 1):
        y = _line(draw, y, f"{number}  {place.label}", 18, _PERSON if place.drawn else _MODEL)
    bottom = _TOP + _PICTURE - 30
    for position, case in enumerate(content.cases):
        lines = _case_lines(case)
        if y + 30 + 24 * len(lines) > bottom:
            left = len(content.cases) - position
            _line(draw, y + 10, f"and {left} more: see the structured report", 18, _QUIET)
            return
        y = _line(draw, y + 8, _case_title(case), 20, _INK)
        for line in lines:
            y = _line(draw, y, line, 18, _QUIET)


def _case_title(case: CitedCase) -> str:
    sure = (
        f"similarity {case.score:.2f}" if case.probability is None else f"probability {case.probability:.0%}"
    )
    return f"{case.rank}.  case {case.case}   {sure}"


def _case_lines(case: CitedCase) -> list[str]:
    matches = [_match_text(match) for match in case.matches]
    sentences = [f'"{sentence}"' for sentence in case.sentences[:2]]
    return [
        line for text in (*matches[:2], *sentences) for line in textwrap.wrap(_drawable(text), _CHARACTERS)
    ]


def _match_text(match: RegionMatch) -> str:
    where = "whole image" if match.region is None else match.region.value
    what = "no finding stated" if match.finding is None else match.finding.value
    return f"{where}: {what}"


def _line(draw: ImageDraw.ImageDraw, y: int, text: str, size: int, colour: tuple[int, int, int]) -> int:
    for part in textwrap.wrap(_drawable(text), _CHARACTERS * 18 // size) or [""]:
        draw.text((_TEXT_LEFT, y), part, colour, _font(size))
        y += size + 6
    return y


def _draw_origin(draw: ImageDraw.ImageDraw, content: Content) -> None:
    origin = content.origin
    synthetic = " (synthetic)" if origin.synthetic else ""
    lines = (
        f"edge-retrieve {origin.software}   model {origin.model_id}   bundle {origin.bundle_id[:16]}",
        f"archive {origin.archive}{synthetic}, {origin.studies} studies, {origin.archive_sha256[:16]}   "
        f"made {content.made:%Y-%m-%d %H:%M}",
    )
    for number, line in enumerate(lines):
        draw.text((_MARGIN, HEIGHT - 70 + 26 * number), _drawable(line), _QUIET, _font(16))
