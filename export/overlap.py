"""What a user feels of a rounding: whether the same ten cases are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_retrieve.export.models import FloatArray, Model
from edge_retrieve.export.probes import Tokenize, phantom_pixels, phantom_reports
from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.train.phantom.sampling import Split, sample_archive

TOP = 10
# Queries of one archive share its neighbourhoods: more of them than this tell little new.
_QUERIES = 200
_BATCH = 8
_SEED = 990_002

Progress = Callable[[int, int], None]


class Archive(NamedTuple):
    """A model's embeddings of an archive, all of unit length.

    Parameters
    ----------
    images : float32 array of shape [N, 30, D]
        The 29 regions, in the boxes the model itself finds, then the whole image.
    texts : float32 array of shape [N, D]
        Of the reports.
    """

    images: FloatArray
    texts: FloatArray


class PhantomStudies:
    """An archive of test phantoms, rendered once, for every form to encode.

    Parameters
    ----------
    studies : int
    size : int
        Side of the model's square, pixels.
    tokenize : callable
    progress : callable, optional
        Called with studies rendered and studies in all.
    """

    def __init__(self, studies: int, size: int, tokenize: Tokenize, progress: Progress | None = None) -> None:
        plan = sample_archive(studies, _SEED, split=Split.TEST)
        self._pixels = np.zeros((studies, size, size), dtype=np.uint8)
        for n, pixels in enumerate(phantom_pixels(plan, size)):
            # Kept as a detector's picture archive would keep them; every form sees the same bytes.
            self._pixels[n] = np.rint(np.clip(pixels, 0.0, 1.0) * 255.0)
            if progress:
                progress(n + 1, studies)
        self._ids, self._mask = tokenize(phantom_reports(plan))

    def encode(self, model: Model) -> Archive:
        """Encode the archive with a model."""
        images, texts = [], []
        for start in range(0, len(self._pixels), _BATCH):
            chosen = slice(start, start + _BATCH)
            pixels = self._pixels[chosen, None].astype(np.float32) / np.float32(255.0)
            image = model.encode_image(pixels)
            regions = model.encode_regions(image.features, image.boxes)
            images.append(np.concatenate([regions, image.whole[:, None]], axis=1))
            texts.append(model.encode_text(self._ids[chosen], self._mask[chosen]).text)
        return Archive(np.concatenate(images), np.concatenate(texts))


def overlap_figures(reference: Archive, form: Archive) -> Mapping[str, float]:
    """Return the mean share of the ten nearest cases that a form and the reference both find.

    Every query is a case of the archive, which is left out of its own answer. The search is exact.

    Parameters
    ----------
    reference, form : Archive
        Of the same studies.

    Returns
    -------
    mapping of str to float
        ``top10_overlap_region``: over the 29 regions; ``_image``: whole images; ``_text``: images for a
        report; ``_mixed``: regions and images where the form asks an archive that the reference encoded.
    """
    count = len(reference.texts)
    queries = np.linspace(0, count - 1, min(_QUERIES, count)).astype(np.int64)
    regions = range(len(REGIONS))
    whole = len(REGIONS)

    def shared(asked: Callable[[Archive], FloatArray], places: Sequence[int], mixed: bool = False) -> float:
        shares = []
        for place in places:
            known = reference.images if mixed else form.images
            expected = _nearest(_at(asked(reference), place)[queries], reference.images[:, place], queries)
            found = _nearest(_at(asked(form), place)[queries], known[:, place], queries)
            shares += [len(set(a) & set(b)) / len(a) for a, b in zip(expected, found, strict=True)]
        return float(np.mean(shares))

    return {
        "top10_overlap_region": shared(lambda archive: archive.images, regions),
        "top10_overlap_image": shared(lambda archive: archive.images, [whole]),
        "top10_overlap_text": shared(lambda archive: archive.texts, [whole]),
        "top10_overlap_mixed": shared(lambda archive: archive.images, [*regions, whole], mixed=True),
    }


def _at(vectors: FloatArray, place: int) -> FloatArray:
    return vectors[:, place] if vectors.ndim == 3 else vectors


def _nearest(asked: FloatArray, known: FloatArray, own: npt.NDArray[np.int64]) -> list[list[int]]:
    cosines = asked.astype(np.float64) @ known.astype(np.float64).T
    cosines[np.arange(len(own)), own] = -np.inf
    count = min(TOP, len(known) - 1)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :count].tolist()  # type: ignore[no-any-return]
