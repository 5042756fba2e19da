"""Inputs that the ranges of int8 graphs are set on: phantoms, or images of the archive at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.export.models import Model
from edge_retrieve.export.probes import (
    Tokenize,
    find_images,
    image_pixels,
    odd_pixels,
    phantom_pixels,
    phantom_reports,
)
from edge_retrieve.runtime.bundle import Calibration, Graph
from edge_retrieve.train.phantom.sampling import Split, sample_archive

METHOD = "minmax"
SAMPLES = 32
_SEED = 990_003


@dataclass(frozen=True)
class CalibrationInputs:
    """What each graph is run on, one image or text at a time, and how the manifest tells it.

    Parameters
    ----------
    feeds : mapping of Graph to sequence of mapping
        Inputs by name.
    described : Calibration
    """

    feeds: Mapping[Graph, Sequence[Mapping[str, npt.NDArray[Any]]]]
    described: Calibration


def make_calibration(
    model: Model, size: int, tokenize: Tokenize, images: Sequence[Path] = (), samples: int = SAMPLES
) -> CalibrationInputs:
    """Return inputs to calibrate on; phantoms are of the training split, which no parity is measured on.

    Parameters
    ----------
    model : Model
        float32; its feature maps and boxes are what the region encoder is calibrated on.
    size : int
        Side of the model's square, pixels.
    tokenize : callable
    images : sequence of Path
        Files and folders; phantoms where empty. Texts are always those of phantoms.
    samples : int
        Images at most, and texts.
    """
    plan = sample_archive(samples, _SEED, split=Split.TRAIN)
    if images:
        files = find_images(images, samples)
        shown, data = list(image_pixels(files, size)), f"{len(files)} images of an archive"
    else:
        shown, data = list(phantom_pixels(plan, size)), f"{samples} synthetic phantoms"
    drawn = len(shown)
    # What shows nothing must not leave the ranges either: a query may well be such an image.
    shown += odd_pixels(size, _SEED)
    pixels = [each[None, None] for each in shown]
    encoded = [model.encode_image(each) for each in pixels]
    tokens = [tokenize([report]) for report in phantom_reports(plan)]
    feeds: dict[Graph, list[dict[str, npt.NDArray[Any]]]] = {
        Graph.IMAGE_ENCODER: [{"pixels": each} for each in pixels],
        Graph.REGION_ENCODER: [
            {"features": np.asarray(image.features), "boxes": np.asarray(image.boxes)} for image in encoded
        ],
        Graph.TEXT_ENCODER: [{"token_ids": ids, "mask": mask} for ids, mask in tokens],
    }
    words = f"{data}, a black and a white one, noise; reports of synthetic phantoms"
    return CalibrationInputs(feeds, Calibration(METHOD, words, drawn))
