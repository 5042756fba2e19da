"""From a question to hits: encode, search, explain."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.anatomy.names import region_named
from edge_retrieve.runtime.encoder import Encoder, FloatArray, ImageEncoding
from edge_retrieve.runtime.errors import QueryError, StoreError
from edge_retrieve.runtime.evidence import make_hits
from edge_retrieve.runtime.hits import Modality, Query, RetrievalResult
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.preprocess.types import Flag, FloatImage
from edge_retrieve.runtime.reports import parse_report, text_by_region
from edge_retrieve.runtime.search import BOTH, Probe, Ranked, search
from edge_retrieve.runtime.store import Store

# A drawn box belongs to regions that hold at least half of it, and among those to the best overlapping
# one and to any that overlaps nearly as well.
_CONTAINED = 0.5
_NEARLY = 0.8


class Retriever:
    """Answers queries from a store.

    Parameters
    ----------
    store : Store
    encoder : Encoder
        Of the store's bundle.
    index : Index, optional
        Shared between retrievers of one store; made where None.

    Raises
    ------
    StoreError
        Where the store's embeddings come from another bundle.
    """

    def __init__(self, store: Store, encoder: Encoder, *, index: Index | None = None) -> None:
        if store.bundle_id != encoder.bundle_id:
            raise StoreError(
                "the store's embeddings come from another bundle than the one in use",
                where=str(store.path),
                remedy="Use the store's bundle, or ingest the studies again into a new store",
            )
        self._store = store
        self._encoder = encoder
        self._index = index or Index(store)
        self._abstain_below = encoder.bundle.manifest.thresholds.get("abstain_below")

    def query(
        self,
        query: Query,
        *,
        modalities: Sequence[Modality] = BOTH,
        encoding: ImageEncoding | None = None,
    ) -> RetrievalResult:
        """Answer a query by image, text or both.

        Parameters
        ----------
        query : Query
        modalities : sequence of Modality
            Which sides of the archive are searched.
        encoding : ImageEncoding, optional
            Of the query's image, where the caller has it already; the file is not read then.

        Raises
        ------
        QueryError
            Where the query is empty, names an unknown region, has boxes without an image or outside of
            it, or a `k` below 1, or its image is a lateral view.
        PixelError
            Where the image cannot be read.
        """
        if encoding is None and query.image is not None:
            encoding = self._encode_file(query)
        if encoding is None and query.text is None:
            raise QueryError("the query is empty", remedy="Give an image, a text, or both")
        vectors: dict[Region | None, FloatArray] = {}
        if encoding is not None:
            vectors = dict(zip(REGIONS, encoding.regions, strict=True))
            vectors[None] = encoding.global_embedding
        return self._answer(query, vectors, encoding, modalities, frozenset())

    def query_study(
        self,
        study: str,
        *,
        text: str | None = None,
        regions: Sequence[Region] = (),
        boxes: Sequence[Box] = (),
        k: int = 10,
        modalities: Sequence[Modality] = BOTH,
        query_modalities: Sequence[Modality] = (Modality.IMAGE,),
        same_patient: bool = False,
    ) -> RetrievalResult:
        """Answer a query by a stored study, which is never its own hit.

        Parameters
        ----------
        study : str
            The study's identifier.
        text : str, optional
            Asked for in addition.
        regions, boxes, k, modalities
            As in `query`; boxes are in pixels of the study's image as displayed.
        query_modalities : sequence of Modality
            Which of the study's own embeddings ask. Its report stands in where it has no searched image.
        same_patient : bool
            Whether other studies of the same patient may be hits.

        Raises
        ------
        StoreError
            Where the store has no such study.
        QueryError
            As in `query`, and where the study has nothing to ask with.
        """
        record = self._store.study(study)
        image = next((image for image in record.images if image.indexed), None)
        encoding = None
        if boxes and image is not None:
            # The feature map is not kept: it is computed again from the stored picture.
            pixels = _read_preview(self._store.preview(study))
            encoding = self._encoder.encode_image(pixels)
            scale = pixels.shape[1] / image.width, pixels.shape[0] / image.height
            boxes = [Box(b.x1 * scale[0], b.y1 * scale[1], b.x2 * scale[0], b.y2 * scale[1]) for b in boxes]
        own = [self._store.study_vectors(study, modality) for modality in query_modalities]
        if not any(own):
            own = [self._store.study_vectors(study, Modality.TEXT)]
        vectors = {
            place: _mean([known[place] for known in own if place in known])
            for place in {place for known in own for place in known}
        }
        if not vectors and text is None:
            raise QueryError(
                f"the study '{study}' has neither a searched image nor a report", remedy="Ask with another"
            )
        exclude = frozenset({self._store.study_number(study)})
        if not same_patient:
            exclude |= self._store.patient_numbers(record.patient)
        query = Query(text=text, regions=tuple(regions), boxes=tuple(boxes), k=k)
        result = self._answer(query, vectors, encoding, modalities, exclude)
        if image is None:
            return result
        seen = tuple((region, image.boxes[region.position]) for region in result.regions)
        return RetrievalResult(result.hits, result.regions, seen, result.abstained)

    def search(
        self,
        probes: Sequence[Probe],
        k: int,
        *,
        modalities: Sequence[Modality] = BOTH,
        exclude: frozenset[int] = frozenset(),
    ) -> Ranked:
        """Rank studies for embeddings computed elsewhere; see `runtime.search.search`."""
        return search(self._index, probes, k, modalities=modalities, exclude=exclude)

    def _encode_file(self, query: Query) -> ImageEncoding:
        assert query.image is not None
        radiograph = load_radiograph(query.image)
        if Flag.LATERAL_VIEW in radiograph.flags:
            raise QueryError(
                "the query image is a lateral view",
                where=str(query.image),
                remedy="Ask with a frontal (PA or AP) image",
            )
        return self._encoder.encode_image(radiograph.pixels)

    def _answer(
        self,
        query: Query,
        vectors: dict[Region | None, FloatArray],
        encoding: ImageEncoding | None,
        modalities: Sequence[Modality],
        exclude: frozenset[int],
    ) -> RetrievalResult:
        _check(query, encoding, modalities)
        vectors = dict(vectors)
        places: list[Region | None] = [region_named(name) for name in query.regions]
        for box in query.boxes:
            assert encoding is not None
            (vector,) = self._encoder.encode_boxes(encoding, [box])
            for region in _regions_of(box, encoding):
                # What a person drew goes before where the model sees the region.
                vectors[region] = vector
                places.append(region)
        places = list(dict.fromkeys(places)) or [None]
        texts = self._encode_text(query.text, places) if query.text is not None else {}
        probes = [
            Probe(place, _mean([known[place] for known in (vectors, texts) if place in known]))
            for place in places
            if place in vectors or place in texts
        ]
        ranked = self.search(probes, query.k, modalities=modalities, exclude=exclude)
        hits = make_hits(self._store, ranked, probes)
        floor = self._abstain_below
        regions = tuple(place for place in places if place is not None)
        return RetrievalResult(
            hits=hits,
            regions=regions,
            query_boxes=()
            if encoding is None
            else tuple((region, encoding.boxes[region.position]) for region in regions),
            abstained=not hits or (floor is not None and hits[0].score < floor),
        )

    def _encode_text(self, text: str, places: Sequence[Region | None]) -> dict[Region | None, FloatArray]:
        """Embed, per place, what the text says of it: the whole text where it names no such region."""
        parts = text_by_region(parse_report(text))
        wanted = [text if place is None else parts.get(place, text) for place in places]
        unique = list(dict.fromkeys(wanted))
        rows = dict(zip(unique, self._encoder.encode_texts(unique), strict=True))
        return {place: rows[part] for place, part in zip(places, wanted, strict=True)}


def _check(query: Query, encoding: ImageEncoding | None, modalities: Sequence[Modality]) -> None:
    if query.k < 1:
        raise QueryError(f"k is {query.k}", remedy="Ask for at least one hit")
    if not modalities:
        raise QueryError("no side of the archive is searched", remedy="Search images, reports, or both")
    if query.text is not None and not query.text.strip():
        raise QueryError("the text is empty", remedy="Write a phrase, or leave the text out")
    for box in query.boxes:
        if encoding is None:
            raise QueryError("a box needs an image", remedy="Give an image, or name a region instead")
        if not all(np.isfinite(box.as_tuple())) or box.area <= 0:
            raise QueryError(
                f"the box {_words(box)} has no area", remedy="Give x1,y1,x2,y2 with x1 < x2 and y1 < y2"
            )
        if box.clipped(encoding.width, encoding.height).area <= 0:
            raise QueryError(
                f"the box {_words(box)} lies outside the image ({encoding.width} x {encoding.height} pixels)",
                remedy="Give pixels of the image as displayed",
            )


def _regions_of(box: Box, encoding: ImageEncoding) -> list[Region]:
    """Return the regions a drawn box falls into, best first."""
    inside = box.clipped(encoding.width, encoding.height)
    overlaps = {
        region: (inside.iou(seen), inside.intersect(seen).area / inside.area)
        for region, seen in zip(REGIONS, encoding.boxes, strict=True)
    }
    holding = {region: iou for region, (iou, share) in overlaps.items() if share >= _CONTAINED}
    found = holding or {region: iou for region, (iou, _) in overlaps.items() if iou > 0}
    if not found:
        raise QueryError(
            f"the box {_words(box)} falls into none of the regions seen on the image",
            remedy="Draw it over the chest, or name a region",
        )
    best = max(found.values())
    return sorted((r for r, iou in found.items() if iou >= _NEARLY * best), key=lambda r: -found[r])


def _words(box: Box) -> str:
    return ",".join(f"{edge:g}" for edge in box.as_tuple())


def _mean(vectors: Sequence[FloatArray]) -> FloatArray:
    return np.asarray(np.mean(vectors, axis=0), dtype=np.float32)


def _read_preview(png: bytes) -> FloatImage:
    with Image.open(io.BytesIO(png)) as image:
        grey = np.asarray(image.convert("L"), dtype=np.float32)
    return np.asarray(grey / 255.0, dtype=np.float32)
