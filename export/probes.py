"""What forms of a model are compared on: phantoms, real images where given, odd pixels, odd boxes, texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_retrieve.export.models import FloatArray, TokenArray
from edge_retrieve.runtime.errors import ExportError, PixelError
from edge_retrieve.runtime.preprocess import letterbox, load_radiograph
from edge_retrieve.runtime.preprocess.inputs import find_inputs
from edge_retrieve.train.phantom.display import display_values
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.reports import write_report
from edge_retrieve.train.phantom.sampling import PlannedStudy

Tokenize = Callable[[Sequence[str]], tuple[TokenArray, TokenArray]]

_NOISE = 3


@dataclass(frozen=True)
class Probes:
    """Inputs of the three encoders.

    Parameters
    ----------
    pixels : float32 array of shape [N, 1, S, S]
    boxes : float32 array of shape [R, 4]
        Beside those that the model finds: the whole image, one pixel, a point, beyond the edge, mirrored.
    token_ids, mask : int64 arrays of shape [M, T]
    showing : int
        The first images, which show something; those behind them are black, white and noise.
    """

    pixels: FloatArray
    boxes: FloatArray
    token_ids: TokenArray
    mask: TokenArray
    showing: int


def make_probes(
    size: int, tokenize: Tokenize, plan: Sequence[PlannedStudy], images: Sequence[Path] = ()
) -> Probes:
    """Return what to compare on.

    Parameters
    ----------
    size : int
        Side of the model's square, pixels.
    tokenize : callable
        Texts to token ids and mask.
    plan : sequence of PlannedStudy
        The phantoms.
    images : sequence of Path
        Further image files.

    Raises
    ------
    ExportError
        An image cannot be used.
    """
    showing = [*phantom_pixels(plan, size), *image_pixels(images, size)]
    pixels = [*showing, *odd_pixels(size, _NOISE)]
    pixel = 1.0 / size
    boxes = [
        [0.0, 0.0, 1.0, 1.0],
        [0.5, 0.5, 0.5 + pixel, 0.5 + pixel],
        [0.5, 0.5, 0.5, 0.5],
        [-0.3, 0.8, 1.4, 1.2],
        [0.9, 0.1, 0.3, 0.2],
    ]
    ids, mask = tokenize([*phantom_reports(plan), "nodule", "?"])
    return Probes(np.stack(pixels)[:, None], np.asarray(boxes, dtype=np.float32), ids, mask, len(showing))


def odd_pixels(size: int, seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a black image, a white one, and noise: float32 arrays of shape [S, S]."""
    noise = np.random.default_rng(seed).random((size, size), dtype=np.float32)
    return np.zeros_like(noise), np.ones_like(noise), noise


def phantom_pixels(plan: Sequence[PlannedStudy], size: int) -> Iterator[FloatArray]:
    """Render phantoms as the model sees them: float32 arrays of shape [S, S]."""
    for study in plan:
        yield np.asarray(display_values(render(study.spec, size)), dtype=np.float32)


def phantom_reports(plan: Sequence[PlannedStudy]) -> list[str]:
    """Return the report of each phantom, in paraphrases that no training used."""
    return [write_report(study.spec, rng_seed=study.spec.study_seed, held_out=True) for study in plan]


def image_pixels(images: Sequence[Path], size: int) -> Iterator[FloatArray]:
    """Read image files as the model sees them: float32 arrays of shape [S, S].

    Raises
    ------
    ExportError
        A file cannot be used.
    """
    for path in images:
        try:
            pixels = load_radiograph(path).pixels
        except PixelError as error:
            raise ExportError(
                f"cannot be compared on ({error.what})",
                where=str(path),
                remedy="Take it out of the folder: every image in it is used",
            ) from error
        yield letterbox(pixels, size)[0][0]


def find_images(paths: Sequence[Path], limit: int | None = None) -> list[Path]:
    """Return the image files in files and folders, `limit` of them at most, spread evenly over all.

    Raises
    ------
    ExportError
        There is none.
    """
    found = list(find_inputs(paths)) if paths else []
    if paths and not found:
        raise ExportError(
            "there is no image", where=", ".join(map(str, paths)), remedy="Give DICOM, PNG or JPEG files"
        )
    if limit is None or len(found) <= limit:
        return found
    return [found[n * len(found) // limit] for n in range(limit)]
