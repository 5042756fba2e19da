"""What a result says of an X-ray, once for all kinds of objects it is written as."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edge_retrieve.edge_app.outputs.cases import CaseNames
from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Hit, RegionMatch, RetrievalResult

LONGEST_REPORT = 20_000  # characters
_CONTROL = re.compile(r"[^\S\r\n\t ]|[\x00-\x08\x0b-\x1f\x7f]")
_LONGEST_NAME = 64  # characters of an LO, and of a component group of a PN
DISCLAIMER = "Not a medical device. For research only."
PRELIMINARY = "PRELIMINARY - not verified by a person"


@dataclass(frozen=True)
class Origin:
    """What made a result, so that it can be made again.

    Parameters
    ----------
    software : str
        Version of edge-retrieve.
    model_id, bundle_id : str
        The model, and the digest of its bundle.
    archive : str
        The archive's name.
    archive_sha256 : str
        Digest of what the archive held.
    studies : int
        Number of its studies.
    synthetic : bool
        Whether they are phantoms.
    """

    software: str
    model_id: str
    bundle_id: str
    archive: str
    archive_sha256: str
    studies: int
    synthetic: bool


@dataclass(frozen=True)
class Acceptance:
    """A person has looked at a result and answers for it.

    Parameters
    ----------
    observer : str
        The person's name, best as ``Family^Given``.
    organization : str
    at : datetime
    report : str
        The words of a report that this person makes his own, a draft as it was or corrected; may be empty.
        There is no other way for a report's words into a result.
    login : str
        As whom the person was logged in; empty where nobody logs in.
    """

    observer: str
    organization: str
    at: datetime
    report: str = ""
    login: str = ""


@dataclass(frozen=True)
class Place:
    """A place on the X-ray that was searched for.

    Parameters
    ----------
    regions : tuple of Region
        A person's box may stand for several that it falls into.
    box : Box
        In pixels of the image as displayed.
    drawn : bool
        Whether a person drew it; else it is where the model sees the region.
    finding : Finding or None
        The one that most similar cases state here.
    stating : int
        How many of them state it.
    cases : int
        How many were compared here.
    probability : float or None
        The highest of a case to share the finding; None where scores are not calibrated.
    """

    regions: tuple[Region, ...]
    box: Box
    drawn: bool
    finding: Finding | None
    stating: int
    cases: int
    probability: float | None

    @property
    def name(self) -> str:
        """The regions' names."""
        return ", ".join(region.value for region in self.regions) or "drawn region"

    @property
    def label(self) -> str:
        """What is written beside the box."""
        if self.finding is None:
            return self.name
        return f"{self.name}: {self.finding.value} in {self.stating} of {self.cases} similar"


@dataclass(frozen=True)
class CitedCase:
    """A similar case, as evidence.

    Parameters
    ----------
    rank : int
        From 1.
    case : str
        Names it without an identifier (`outputs.cases`).
    score : float
    probability : float or None
    matches : tuple of RegionMatch
    sentences : tuple of str
        Of its report.
    """

    rank: int
    case: str
    score: float
    probability: float | None
    matches: tuple[RegionMatch, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """All that a result says.

    Parameters
    ----------
    places : tuple of Place
    cases : tuple of CitedCase
        The hits that reach the level below which a search abstains.
    abstained : bool
    origin : Origin
    made : datetime
        On the clock of the place, as the source's own times are.
    acceptance : Acceptance or None
        None makes everything preliminary.
    """

    places: tuple[Place, ...]
    cases: tuple[CitedCase, ...]
    abstained: bool
    origin: Origin
    made: datetime
    acceptance: Acceptance | None

    @property
    def status(self) -> str:
        """In words, whether a person answers for it."""
        if self.acceptance is None:
            return PRELIMINARY
        return f"Verified by {self.acceptance.observer}, {self.acceptance.organization}"

    @property
    def outcome(self) -> str:
        """In words, what the search found."""
        if self.abstained:
            return "No sufficiently similar case in the archive"
        if not self.cases:
            return "No case found in the archive"
        return f"{len(self.cases)} similar case{'s' if len(self.cases) > 1 else ''} in the archive"


def content_of(
    result: RetrievalResult,
    origin: Origin,
    *,
    names: CaseNames,
    drawn: Sequence[Box] = (),
    made: datetime,
    acceptance: Acceptance | None = None,
) -> Content:
    """Return what a result says.

    Parameters
    ----------
    result : RetrievalResult
    origin : Origin
    names : CaseNames
    drawn : sequence of Box
        The query's boxes (`Query.boxes`).
    made : datetime
    acceptance : Acceptance, optional
    """
    ranked = [(rank, hit) for rank, hit in enumerate(result.hits, result.offset + 1) if _counts(hit, result)]
    cases = tuple(
        CitedCase(rank, names.of(hit.study), hit.score, hit.probability, hit.regions, hit.sentences)
        for rank, hit in ranked
    )
    hits = [hit for _, hit in ranked]
    return Content(_places(result, hits, drawn), cases, result.abstained, origin, made, acceptance)


def _counts(hit: Hit, result: RetrievalResult) -> bool:
    """Return whether a hit is similar enough to be evidence: a list for a reader may go on below that."""
    if result.abstained:
        return False
    sure = hit.score if hit.probability is None else hit.probability
    return result.abstain_below is None or sure >= result.abstain_below


def acceptance_by(
    observer: str | None, organization: str | None, at: datetime, report: str = "", login: str = ""
) -> Acceptance | None:
    """Return the acceptance of a named person, None where nobody is named.

    Raises
    ------
    QueryError
        Where only one of the two names is given or none beside a report, or one of the texts cannot stand
        in a DICOM object.
    """
    if observer is None and organization is None and not report:
        return None
    if len(report) > LONGEST_REPORT or _CONTROL.search(report):
        raise QueryError(
            f"the report is longer than {LONGEST_REPORT} characters, or has control characters",
            remedy="Shorten it, or save it as plain text",
        )
    for name, value in (("name of who accepts the result", observer), ("organization", organization)):
        if value is None or not value.strip():
            raise QueryError(f"the {name} is missing", remedy="Give both, or neither")
        if len(value) > _LONGEST_NAME or not value.isprintable() or "\\" in value:
            raise QueryError(
                f"the {name} is longer than {_LONGEST_NAME} characters, or has a backslash or line break",
                remedy="Shorten it",
            )
    return Acceptance(str(observer).strip(), str(organization).strip(), at, report.strip(), login)


def _places(result: RetrievalResult, hits: Sequence[Hit], drawn: Sequence[Box]) -> tuple[Place, ...]:
    # Hits that are no evidence tell just as well which regions a box falls into.
    aims = {(match.drawn, match.region): None for hit in result.hits for match in hit.regions}
    places = []
    for box in dict.fromkeys(drawn):
        regions = [region for aimed, region in aims if aimed == box and region is not None]
        places.append(_place(tuple(sorted(regions, key=REGIONS.index)), box, True, hits))
    covered = {region for place in places for region in place.regions}
    places += [
        _place((region,), box, False, hits) for region, box in result.query_boxes if region not in covered
    ]
    return tuple(places)


def _place(regions: tuple[Region, ...], box: Box, drawn: bool, hits: Sequence[Hit]) -> Place:
    compared = [
        matches
        for hit in hits
        if (
            matches := [
                match
                for match in hit.regions
                if match.region in regions and match.drawn == (box if drawn else None)
            ]
        )
    ]
    # A case that states a finding in two regions of a box states it once.
    stated = Counter(
        finding
        for matches in compared
        for finding in dict.fromkeys(match.finding for match in matches)
        if finding is not None
    )
    finding, stating = stated.most_common(1)[0] if stated else (None, 0)
    sure = [match.probability for matches in compared for match in matches if match.probability is not None]
    return Place(regions, box, drawn, finding, stating, len(compared), max(sure, default=None))
