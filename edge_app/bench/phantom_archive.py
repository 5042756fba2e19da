"""Made-up cases to measure with: rendered phantoms, and a store filled with more cases like them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edge_retrieve.runtime.encoder import Encoder, FloatArray, ImageEncoding
from edge_retrieve.runtime.preprocess import load_radiograph, render_png
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.runtime.report_encoding import ReportEncoder
from edge_retrieve.runtime.store import NewEncoding, NewImage, Store

Progress = Callable[..., None]

_BATCH = 256
_SCATTER = 0.3  # length of what is added to an embedding, itself of unit length


def render_phantoms(out: Path, count: int, pixels: int, seed: int, advance: Progress) -> list[Path]:
    """Render phantoms and their reports; return the DICOM files.

    Raises
    ------
    MissingExtraError
        Where OpenCV is not installed.
    """
    # Phantoms belong to another house: loaded only where some are made.
    from edge_retrieve.train.phantom.archive import write_archive

    write_archive(out, count, seed, size=pixels, workers=1, progress=advance)
    return sorted(out.rglob("*.dcm"))


def fill_store(
    store: Store,
    encoder: Encoder,
    files: Sequence[Path],
    studies: int,
    advance: Progress,
    *,
    picture_side: int = 0,
) -> None:
    """Fill a store with cases whose embeddings scatter around those of some files.

    Parameters
    ----------
    store : Store
        An empty one.
    encoder : Encoder
    files : sequence of Path
        DICOM files, a report beside each.
    studies : int
    advance : callable
        Called with studies done and their number.
    picture_side : int
        Longest side of the pictures that are stored, pixels; none are where 0.
    """
    random = np.random.default_rng(0)
    pixels = [load_radiograph(file).pixels for file in files]
    models = [encoder.encode_image(each) for each in pixels]
    pictures = [render_png(each, picture_side) if picture_side else b"" for each in pixels]
    texts = [file.with_suffix(".txt").read_text(encoding="utf-8") for file in files]
    reports = ReportEncoder(encoder)
    for start in range(0, studies, _BATCH):
        numbers = range(start, min(start + _BATCH, studies))
        store.add(
            [
                _image(number, models[number % len(models)], pictures[number % len(models)], random)
                for number in numbers
            ],
            reports.encode({f"s{number}": texts[number % len(texts)] for number in numbers}),
        )
        advance(numbers[-1] + 1, studies)


def _image(number: int, model: ImageEncoding, picture: bytes, random: np.random.Generator) -> NewImage:
    return NewImage(
        study=f"s{number}",
        patient=f"p{number}",
        study_date="",
        sex="",
        age=None,
        sop_instance=f"2.25.{number + 1}",
        pixels_sha256=f"{number:064x}",
        source="made up",
        view=View.PA,
        width=model.width,
        height=model.height,
        flags=(),
        applied=(),
        preview=picture,
        encoding=NewEncoding(
            boxes=model.boxes,
            box_scores=model.box_scores,
            regions=_scattered(model.regions, random),
            global_embedding=_scattered(model.global_embedding, random),
        ),
    )


def _scattered(vectors: FloatArray, random: np.random.Generator) -> FloatArray:
    moved = vectors + _SCATTER / np.sqrt(vectors.shape[-1]) * random.normal(size=vectors.shape)
    return np.asarray(moved / np.linalg.norm(moved, axis=-1, keepdims=True), dtype=np.float32)
