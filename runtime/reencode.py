"""Encoding a store's images and reports anew for another bundle, while queries go on with the present one."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.encoder import Encoder, ImageEncoding
from edge_retrieve.runtime.errors import PixelError, UnknownStudyError
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.preprocess.types import FloatImage, View
from edge_retrieve.runtime.reports import text_by_region
from edge_retrieve.runtime.store import NewEncoding, Store
from edge_retrieve.runtime.store.generations import HeldImage, HeldReport, ReportVectors

Progress = Callable[[int, int, str], None]

_BATCH = 16


@dataclass(frozen=True)
class Reencoded:
    """What was encoded anew.

    Parameters
    ----------
    images, reports : int
        In this run; an earlier one that was interrupted may have done others.
    from_previews : int
        Of the images, those whose file is gone or another: encoded from the stored picture, which has 8 bits
        and at most 1,024 pixels a side.
    """

    images: int
    reports: int
    from_previews: int


def reencode(path: Path, encoder: Encoder, progress: Progress | None = None) -> Reencoded:
    """Encode a store for the encoder's bundle, bring that into force, and build the index.

    Queries and ingests go on meanwhile with the bundle the store has; from the moment of the change, those
    who opened it before are told to start again. A run that was killed is repeated and goes on where it was.

    Parameters
    ----------
    path : Path
        The store's folder.
    encoder : Encoder
        Of the new bundle.
    progress : callable, optional
        Called with images and reports done, their total and what is done next; then as by `Index.refresh`.

    Raises
    ------
    StoreError
        Where there is no store, it cannot be written, or it is damaged.
    BackendError
        Where the engine fails.
    """
    counts = Reencoded(0, 0, 0)
    with Store.open(path) as store:
        if store.bundle_id != encoder.bundle_id:
            counts = _encode_all(store, encoder, progress)
    with Store.open(path, bundle=encoder.bundle) as store:
        store.generations.drop_others(store.terms)
        Index(store).refresh(progress)
    return counts


def _encode_all(store: Store, encoder: Encoder, progress: Progress | None) -> Reencoded:
    generations = store.generations
    terms = generations.begin(encoder.bundle)
    images = reports = from_previews = 0
    after_image = after_report = 0
    left, every = generations.counts(terms)
    while True:
        if progress:
            progress(min(every, every - left + images + reports), every, "encode")
        some = generations.images_left(terms, after_image, _BATCH)
        texts = generations.reports_left(terms, after_report, _BATCH)
        if not some and not texts:
            if generations.switch(terms):
                return Reencoded(images, reports, from_previews)
            # Something came behind us, by an ingest.
            after_image = after_report = 0
            continue
        encodings, previews = _encode_images(encoder, some)
        generations.add(terms, encodings, _encode_reports(store, encoder, texts))
        after_image = some[-1].number if some else after_image
        after_report = texts[-1].number if texts else after_report
        images, reports, from_previews = images + len(some), reports + len(texts), from_previews + previews


def _encode_images(
    encoder: Encoder, images: Sequence[HeldImage]
) -> tuple[list[tuple[int, NewEncoding]], int]:
    """Return encodings with their images' numbers, and how many were made from previews."""
    pixels = [_original(image) for image in images]
    prepared = [
        encoder.prepare(_picture(image.preview) if found is None else found)
        for image, found in zip(images, pixels, strict=True)
    ]
    encodings = [
        (image.number, _scaled(encoding, image))
        for image, encoding in zip(images, encoder.encode_prepared(prepared), strict=True)
    ]
    return encodings, sum(found is None for found in pixels)


def _original(image: HeldImage) -> FloatImage | None:
    """Read an image's file again, if it is there and still what was stored."""
    try:
        found = load_radiograph(Path(image.source), view=View(image.view))
    except PixelError:
        return None
    return found.pixels if found.pixels_sha256 == image.pixels_sha256 else None


def _picture(png: bytes) -> FloatImage:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(np.asarray(picture.convert("L"), dtype=np.float32) / 255.0, dtype=np.float32)


def _scaled(encoding: ImageEncoding, image: HeldImage) -> NewEncoding:
    """Return what is kept of an encoding, its boxes in pixels of the image."""
    across, down = image.width / encoding.width, image.height / encoding.height
    return NewEncoding(
        boxes=tuple(Box(b.x1 * across, b.y1 * down, b.x2 * across, b.y2 * down) for b in encoding.boxes),
        box_scores=encoding.box_scores,
        regions=encoding.regions,
        global_embedding=encoding.global_embedding,
    )


def _encode_reports(store: Store, encoder: Encoder, reports: Sequence[HeldReport]) -> list[ReportVectors]:
    texts: list[str] = []
    kept: list[HeldReport] = []
    for report in reports:
        try:
            # As it was understood when it came: this version might read it otherwise.
            parts = text_by_region(store.study(report.study).parsed)
        except UnknownStudyError:
            continue  # deleted meanwhile
        kept.append(report)
        texts += [report.text, *(parts.get(region, report.text) for region in report.places)]
    rows = iter(encoder.encode_texts(texts))
    return [
        ReportVectors(report.number, tuple((place, next(rows)) for place in (None, *report.places)))
        for report in kept
    ]
