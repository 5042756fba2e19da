"""From a question to hits: encode, search, explain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edge_retrieve.runtime.aims import Aim, aims_of
from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.bundle import FusionWeights
from edge_retrieve.runtime.calibration import ABSTAIN_BELOW, check_level
from edge_retrieve.runtime.certainty import abstains, certainty_of
from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.encoder import Encoder, FloatArray, ImageEncoding
from edge_retrieve.runtime.errors import QueryError, StoreError
from edge_retrieve.runtime.evidence import make_hits
from edge_retrieve.runtime.fusion import asked_of, check_weights, weights_for
from edge_retrieve.runtime.hits import Modality, RetrievalResult
from edge_retrieve.runtime.index import Index, IndexView
from edge_retrieve.runtime.own_studies import own_studies
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.preprocess.types import Radiograph
from edge_retrieve.runtime.probe import Probe
from edge_retrieve.runtime.query import BOTH, Query, require_frontal
from edge_retrieve.runtime.reports import ParsedReport, parse_report, text_by_region
from edge_retrieve.runtime.search import search
from edge_retrieve.runtime.store import Store, StudyRecord
from edge_retrieve.runtime.stored_picture import drawn_on_image, read_preview, scaled

# Embeddings by place, None for the whole.
_Vectors = Mapping[Region | None, FloatArray]
_SILENT = ParsedReport(())


class Retriever:
    """Answers queries from a store.

    Parameters
    ----------
    store : Store
    encoder : Encoder
        Of the store's bundle.
    index : Index, optional
        Shared between retrievers of one store; made where None.
    abstain_below : float
        A probability: where no hit is as sure, there is no sufficiently similar case. A bundle whose scores
        are not calibrated has a level of its own instead, or none.
    deidentifier : callable, optional
        Returns what knows patients by the store's names for them, None where it has their own.

    Raises
    ------
    StoreError
        Where the store's embeddings come from another bundle.
    QueryError
        Where `abstain_below` is no probability.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        *,
        index: Index | None = None,
        abstain_below: float = ABSTAIN_BELOW,
        deidentifier: Callable[[], Deidentifier | None] = lambda: None,
    ) -> None:
        self._deidentifier = deidentifier
        if store.bundle_id != encoder.bundle_id:
            raise StoreError(
                "the store's embeddings come from another bundle than the one in use",
                where=str(store.path),
                remedy="Use the store's bundle, or ingest the studies again into a new store",
            )
        self._store = store
        self._encoder = encoder
        self._index = index or Index(store)
        self._fusion = encoder.bundle.manifest.fusion
        self._calibration = encoder.bundle.manifest.score_calibration
        self._abstain_below = check_level(abstain_below)
        self._least_score = encoder.bundle.manifest.thresholds.get("abstain_below")

    def query(
        self, query: Query, *, encoding: ImageEncoding | None = None, radiograph: Radiograph | None = None
    ) -> RetrievalResult:
        """Answer a query by image, text or both.

        Studies of the image's patient are no hits, unless asked for: the patient whom the file names, and the
        one of a stored study that holds the same image.

        Parameters
        ----------
        query : Query
        encoding : ImageEncoding, optional
            Of the query's image, where the caller has it already; the file is not read then.
        radiograph : Radiograph, optional
            What the caller read of that image; its pixels are not needed.

        Raises
        ------
        QueryError
            Where the query is empty, contradicts itself, names an unknown region, has boxes without an image
            or outside of it, or its image is a lateral view.
        PixelError
            Where the image cannot be read.
        """
        query.check()
        if encoding is None and query.image is not None:
            encoding, radiograph = self.encode_file(query)
        if encoding is None and query.text is None:
            raise QueryError("the query is empty", remedy="Give an image, a text, or both")
        own: frozenset[int] = frozenset()
        if radiograph is not None:
            own = own_studies(self._store, radiograph, query.same_patient, self._deidentifier())
        images = {} if encoding is None else _vectors(encoding)
        return self._answer(query, images, {}, encoding, own, _SILENT)

    def query_study(
        self,
        study: str,
        query: Query | None = None,
        *,
        asked_with: Sequence[Modality] = (Modality.IMAGE,),
        encoding: ImageEncoding | None = None,
    ) -> RetrievalResult:
        """Answer a query by a stored study, which is never its own hit.

        Parameters
        ----------
        study : str
            The study's identifier.
        query : Query, optional
            What else is asked, without an image; its boxes are in pixels of the study's image as displayed.
        asked_with : sequence of Modality
            Which of the study's own embeddings ask. Its report stands in where it has no searched image.
        encoding : ImageEncoding, optional
            Of the study's picture, altered or not, which asks in place of the stored embeddings of images.

        Raises
        ------
        StoreError
            Where the store has no such study.
        QueryError
            As in `query`, and where the study has nothing to ask with.
        """
        query = query or Query()
        query.check()
        record = self._store.study(study)
        image = next((image for image in record.images if image.indexed), None)
        images, texts = (
            self._store.study_vectors(study, modality) if modality in asked_with else {}
            for modality in (Modality.IMAGE, Modality.TEXT)
        )
        if encoding is not None:
            images = _vectors(encoding)
        elif query.boxes and image is not None:
            # The feature map is not kept: it is computed again from the stored picture.
            encoding = self._encoder.encode_image(read_preview(self._store.preview(study)))
        scale = (1.0, 1.0)
        if encoding is not None and image is not None:
            scale = encoding.width / image.width, encoding.height / image.height
            query = replace(query, boxes=tuple(scaled(box, *scale) for box in query.boxes))
        if not images and not texts:
            texts = self._store.study_vectors(study, Modality.TEXT)
        if not images and not texts and query.text is None:
            raise QueryError(
                f"the study '{study}' has neither a searched image nor a report", remedy="Ask with another"
            )
        own = self._own(record, query.same_patient)
        result = self._answer(query, images, texts, encoding, own, record.parsed)
        if image is None:
            return result
        seen = tuple((region, image.boxes[region.position]) for region in result.regions)
        hits = tuple(drawn_on_image(hit, *scale) for hit in result.hits)
        return replace(result, query_boxes=seen, hits=hits)

    def _own(self, record: StudyRecord, same_patient: bool) -> frozenset[int]:
        itself = frozenset({self._store.study_number(record.study)})
        return itself if same_patient else itself | self._store.patient_numbers(record.patient)

    def encode_file(self, query: Query) -> tuple[ImageEncoding, Radiograph]:
        """Read and encode a query's image, once for any number of queries about it.

        Raises
        ------
        QueryError
            Where the query has no image, or it is a lateral view.
        PixelError
            Where the image cannot be read.
        """
        if query.image is None:
            raise QueryError("the query has no image", remedy="Give an image file")
        radiograph = load_radiograph(query.image)
        require_frontal(radiograph, str(query.image))
        return self._encoder.encode_image(radiograph.pixels), radiograph

    def _answer(
        self,
        query: Query,
        images: _Vectors,
        texts: _Vectors,
        encoding: ImageEncoding | None,
        own: Collection[int],
        report: ParsedReport,
    ) -> RetrievalResult:
        """Search for what images and texts show in the places asked for.

        `report` is the asking study's own.
        """
        aims = aims_of(query, encoding)
        asked = report if query.text is None else parse_report(query.text)
        probes, weights = self._probes(query, aims, images, texts, encoding)
        last = query.offset + query.k
        allowed = self._store.matching(query.filters) if query.filters else None
        index = IndexView(self._index)
        ranked = search(
            index,
            probes,
            last + 1,  # one more tells whether there is a next page
            modalities=query.sides,
            combine=query.combine,
            exclude=own,
            allowed=allowed,
            patients_of=self._store.patients_of if query.one_per_patient else None,
        )
        # Curves are of the bundle's own weights.
        usual = weights == weights_for(self._fusion, conditioned=aims[0].region is not None)
        curves = self._calibration if usual else None
        certainty = certainty_of(ranked, probes, query, index, curves, allowed)
        abstained, level = abstains(ranked, certainty, self._abstain_below, self._least_score)
        kept = np.arange(len(ranked.studies))
        if query.min_score is not None:
            kept = np.flatnonzero(ranked.scores >= query.min_score)
        page = kept[query.offset : last]
        sure = None if certainty is None else certainty.at(page)
        hits = make_hits(self._store, ranked.at(page), probes, asked, sure)
        regions = tuple(dict.fromkeys(aim.region for aim in aims if aim.region is not None))
        return RetrievalResult(
            hits=hits,
            regions=regions,
            query_boxes=()
            if encoding is None
            else tuple((region, encoding.boxes[region.position]) for region in regions),
            abstained=abstained,
            offset=query.offset,
            more=len(kept) > last,
            set_apart=len(own),
            weights=weights,
            calibrated=certainty is not None,
            abstain_below=level,
        )

    def _probes(
        self,
        query: Query,
        aims: Sequence[Aim],
        images: _Vectors,
        texts: _Vectors,
        encoding: ImageEncoding | None,
    ) -> tuple[list[Probe], FusionWeights]:
        """Return what is searched for in each place where the query has something to show or to say."""
        weights = query.fusion or weights_for(self._fusion, conditioned=aims[0].region is not None)
        check_weights(weights)
        boxes = list(dict.fromkeys(aim.box for aim in aims if aim.box is not None))
        drawn: dict[Box, FloatArray] = {}
        if encoding is not None and boxes:
            drawn = dict(zip(boxes, self._encoder.encode_boxes(encoding, boxes), strict=True))
        said = {} if query.text is None else self._encode_text(query.text, [aim.region for aim in aims])
        probes, had_something = [], False
        for aim in aims:
            # What a person drew goes before where the model sees the region.
            image = images.get(aim.region) if aim.box is None else drawn[aim.box]
            spoken = [known[aim.region] for known in (texts, said) if aim.region in known]
            text = np.asarray(np.mean(spoken, axis=0), dtype=np.float32) if spoken else None
            if image is None and text is None:
                continue
            (of_images, first), (of_reports, second) = (asked_of(side, weights, image, text) for side in BOTH)
            vector = of_reports if of_images is None else of_images
            had_something = True
            shares = dict(zip(BOTH, (first, second), strict=True))
            if vector is not None and any(shares[side] > 0 for side in query.sides):
                asking = tuple(
                    side for side, held in zip(BOTH, (image, text), strict=True) if held is not None
                )
                probes.append(
                    Probe(aim.region, vector, of_reports, (first, second), aim.weight, aim.box, asking)
                )
        if had_something and not probes:
            raise QueryError(
                "nothing that this query asks counts in the score",
                where="fusion",
                remedy="Give the query's image or text a weight with a side that is searched",
            )
        return probes, weights

    def _encode_text(self, text: str, places: Sequence[Region | None]) -> dict[Region | None, FloatArray]:
        """Embed, per place, what the text says of it: the whole text where it names no such region."""
        parts = text_by_region(parse_report(text))
        wanted = [text if place is None else parts.get(place, text) for place in places]
        unique = list(dict.fromkeys(wanted))
        rows = dict(zip(unique, self._encoder.encode_texts(unique), strict=True))
        return {place: rows[part] for place, part in zip(places, wanted, strict=True)}


def _vectors(encoding: ImageEncoding) -> dict[Region | None, FloatArray]:
    return {**dict(zip(REGIONS, encoding.regions, strict=True)), None: encoding.global_embedding}
