"""Evidence for a query: its neighbours in each place, read from the store, and their votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.bundle import Sides
from edge_retrieve.runtime.calibration import ABSTAIN_BELOW, sides_of
from edge_retrieve.runtime.encoder import Encoder, ImageEncoding
from edge_retrieve.runtime.errors import QueryError, UnknownStudyError
from edge_retrieve.runtime.explain.base_rates import ArchiveRates
from edge_retrieve.runtime.explain.evidence import (
    Evidence,
    Neighbour,
    SidesAgreement,
    leader,
)
from edge_retrieve.runtime.explain.gathering import Worth, place_evidence
from edge_retrieve.runtime.explain.places import parts_of, same_question
from edge_retrieve.runtime.explain.reading import read_neighbour
from edge_retrieve.runtime.explain.vote_curves import VoteCurves, curves_for
from edge_retrieve.runtime.filters import Filters
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Hit, Modality, RetrievalResult
from edge_retrieve.runtime.preprocess.types import Radiograph
from edge_retrieve.runtime.query import BOTH, Query
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import Store, StudyRecord

RARE = 0.02
"""A finding of at most this share of an archive's reports is rare in it."""
SIDE_NEIGHBOURS = 5
_RARE_CASES = 10  # nearest cases with a rare finding anywhere that are looked through for one in the place


@dataclass(frozen=True)
class _Asker:
    """Who asks: a query with its encoded image, or a stored study."""

    retriever: Retriever
    encoding: ImageEncoding | None
    radiograph: Radiograph | None
    study: str = ""

    def ask(self, query: Query) -> RetrievalResult:
        if self.study:
            return self.retriever.query_study(self.study, query, encoding=self.encoding)
        return self.retriever.query(query, encoding=self.encoding, radiograph=self.radiograph)


@dataclass(frozen=True)
class _Kinds:
    """What is gathered beside the votes, and how these are judged, as for `Explainer.explain`."""

    compare_sides: bool
    rare: bool
    in_passing: bool


class Explainer:
    """Gathers the evidence of queries.

    Parameters
    ----------
    store : Store
    encoder : Encoder
        Of the store's bundle.
    retriever : Retriever
        Of both.
    abstain_below : float
        Where no neighbour of a place is as sure, nothing is stated of it.
    curves : VoteCurves, optional
        What votes are worth; those of the bundle where None.

    Raises
    ------
    BundleError
        Where the shipped curves of votes cannot be read.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        retriever: Retriever,
        *,
        abstain_below: float = ABSTAIN_BELOW,
        curves: VoteCurves | None = None,
    ) -> None:
        self._store, self._encoder, self._retriever = store, encoder, retriever
        self._abstain_below = abstain_below
        self._curves = curves if curves is not None else curves_for(encoder.bundle)
        self._rates = ArchiveRates(store)

    def explain(
        self,
        query: Query,
        *,
        encoding: ImageEncoding | None = None,
        radiograph: Radiograph | None = None,
        result: RetrievalResult | None = None,
        compare_sides: bool = False,
        rare: bool = False,
        in_passing: bool = False,
    ) -> Evidence:
        """Gather the evidence of a query by image, text or both.

        Without a region or a box an image is surveyed: all 29 regions are asked for, one by one.

        Parameters
        ----------
        query : Query
        encoding, radiograph : optional
            Of the query's image, as for `Retriever.query`; the image is not read or encoded then.
        result : RetrievalResult, optional
            The answer to this query, where it is known already.
        compare_sides : bool
            Ask the archive's images and its reports apart as well, and say whether they agree.
        rare : bool
            Look for the nearest cases with rare findings.
        in_passing : bool
            Judge the regions of the query as in a look at all of them: nobody suspects these.

        Raises
        ------
        QueryError, PixelError
            As `Retriever.query`.
        """
        query.check()
        if encoding is None and query.image is not None:
            encoding, radiograph = self._retriever.encode_file(query)
        if encoding is None and query.text is None:
            raise QueryError("the query is empty", remedy="Give an image, a text, or both")
        asked = tuple(
            side for side, held in zip(BOTH, (encoding, query.text), strict=True) if held is not None
        )
        asker = _Asker(self._retriever, encoding, radiograph)
        boxes = () if encoding is None else encoding.boxes
        kinds = _Kinds(compare_sides, rare, in_passing)
        return self._gather(asker, query, encoding, sides_of(asked), boxes, result, kinds)

    def explain_study(
        self,
        study: str,
        query: Query | None = None,
        *,
        encoding: ImageEncoding | None = None,
        compare_sides: bool = False,
        rare: bool = False,
        in_passing: bool = False,
    ) -> Evidence:
        """Gather the evidence of a stored study by its image; its own report has no say.

        Parameters and errors are those of `Retriever.query_study` and `explain`.
        """
        query = query or Query()
        record = self._store.study(study)
        image = next((image for image in record.images if image.indexed), None)
        asked = {Modality.TEXT if image is None else Modality.IMAGE}
        if query.text is not None:
            asked.add(Modality.TEXT)
        asker = _Asker(self._retriever, encoding, None, study)
        boxes = () if image is None else image.boxes
        kinds = _Kinds(compare_sides, rare, in_passing)
        evidence = self._gather(asker, query, None, sides_of(asked), boxes, None, kinds)
        return replace(evidence, study=study)

    def _gather(
        self,
        asker: _Asker,
        query: Query,
        encoding: ImageEncoding | None,
        asked: Sides,
        boxes: Sequence[Box],
        result: RetrievalResult | None,
        kinds: _Kinds,
    ) -> Evidence:
        result = result if result is not None else asker.ask(query)
        rates, records = self._rates.current(), _Records(self._store)
        survey = not query.regions and not query.boxes and asked is not Sides.TEXT
        in_passing = survey or kinds.in_passing
        places = []
        for part in parts_of(query, encoding, survey):
            found = result if same_question(part, query) else asker.ask(part.query)
            for region in part.regions or found.regions:
                worth = self._worth(query, asked, region is not None, in_passing, rates.reports)
                near = _neighbours(found, region, records)
                drawn = next(
                    (match.drawn for hit in found.hits for match in hit.regions if match.region is region),
                    None,
                )
                place = place_evidence(
                    region,
                    near,
                    rates,
                    worth,
                    box=boxes[region.position] if region is not None and boxes else None,
                    drawn=drawn,
                    abstain_below=self._abstain_below,
                )
                if kinds.compare_sides:
                    place = replace(place, sides=self._sides(asker, part.query, region, records))
                if kinds.rare:
                    few = rates.rare(RARE)
                    place = replace(place, rare=_rare(asker, part.query, region, few, records))
                places.append(place)
        known = self._curves is not None and result.calibrated
        return Evidence(
            tuple(places),
            result,
            rates.reports,
            survey=survey,
            calibrated=known,
            fitted_on=self._curves.suspected.data if known and self._curves is not None else "",
        )

    def _worth(
        self, query: Query, asked: Sides, conditioned: bool, survey: bool, reports: int
    ) -> Worth | None:
        if self._curves is None:
            return None
        studies = len(self._store.matching(query.filters)) if query.filters != Filters() else reports
        return partial(
            self._curves.probabilities,
            asked=asked,
            conditioned=conditioned,
            survey=survey,
            studies=max(1, studies),
        )

    def _sides(
        self, asker: _Asker, query: Query, region: Region | None, records: _Records
    ) -> SidesAgreement | None:
        rates, near, leaders = self._rates.current(), [], []
        for side in BOTH:
            found = asker.ask(replace(query, sides=(side,), fusion=None, k=SIDE_NEIGHBOURS))
            near.append(_neighbours(found, region, records))
            # Without a curve: how sure a vote makes is known of both sides together only.
            leaders.append(leader(place_evidence(region, near[-1], rates, None).votes))
        if not near[0] or not near[1]:
            return None
        studies = [{each.study for each in side} for side in near]
        shared, compared = len(studies[0] & studies[1]), min(map(len, studies))
        return SidesAgreement(leaders[0], leaders[1], shared, compared)


class _Records:
    """Studies of a store, each read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, StudyRecord | None] = {}

    def of(self, hit: Hit) -> StudyRecord | None:
        """Return a hit's study; None where it was deleted since it was found."""
        if hit.study not in self._read:
            try:
                self._read[hit.study] = self._store.study(hit.study)
            except UnknownStudyError:
                self._read[hit.study] = None
        return self._read[hit.study]


def _neighbours(result: RetrievalResult, region: Region | None, records: _Records) -> tuple[Neighbour, ...]:
    found = []
    for hit in result.hits:
        match = next((match for match in hit.regions if match.region is region), None)
        record = records.of(hit) if match is not None else None
        if match is not None and record is not None:
            found.append((match, record))
    found.sort(key=lambda pair: -pair[0].score)
    return tuple(read_neighbour(record, match, rank) for rank, (match, record) in enumerate(found, 1))


def _rare(
    asker: _Asker, query: Query, region: Region | None, rare: Sequence[Finding], records: _Records
) -> tuple[tuple[Finding, Neighbour], ...]:
    """Return each rare finding with the nearest case that has it in the region, nearest first."""
    if not rare or query.filters != Filters():
        return ()  # who filters has chosen the cases to look at
    wanted = replace(query, filters=Filters(findings=tuple(rare)), k=_RARE_CASES)
    nearest: dict[Finding, Neighbour] = {}
    for neighbour in _neighbours(asker.ask(wanted), region, records):
        for finding in rare:
            if finding in neighbour.stated:
                nearest.setdefault(finding, neighbour)
    return tuple(nearest.items())
