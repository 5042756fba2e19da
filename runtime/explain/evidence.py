"""What speaks for and against each finding in each place, of a query and its neighbours: the typed object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import RetrievalResult

STATED_FROM = 0.5
"""The probability from which a finding counts as there: below it, it is more likely not."""
POSSIBLE_FROM = 0.25
"""The probability from which a finding counts as possible."""


class Silence(str, Enum):
    """Why nothing is said of a place."""

    NO_NEIGHBOUR = "the archive has no case to compare with here"
    NO_REPORT = "no neighbour has a report"
    NOT_SIMILAR = "no case is similar enough"
    UNDECIDED = "the neighbours do not agree on any finding"
    NOT_CALIBRATED = "how sure votes make is not known for such a query and bundle"


@dataclass(frozen=True)
class Neighbour:
    """A case near the query in one place, and what its report says of that place.

    Parameters
    ----------
    study : str
    rank : int
        Among the neighbours of the place, from 1.
    score : float
    probability : float or None
        That it shares the finding there; None where scores are not calibrated.
    stated, denied, suspected : frozenset of Finding
        What its report states as present, as absent, and leaves open there.
    sentences : tuple of str
        That speak of the place, abnormal ones first.
    reported : bool
        Whether it has a report at all; without one it has no vote.
    box : Box or None
        The place on its image, pixels.
    """

    study: str
    rank: int
    score: float
    probability: float | None
    stated: frozenset[Finding]
    denied: frozenset[Finding] = frozenset()
    suspected: frozenset[Finding] = frozenset()
    sentences: tuple[str, ...] = ()
    reported: bool = True
    box: Box | None = None


@dataclass(frozen=True)
class Vote:
    """How the neighbours of a place stand to one finding.

    Parameters
    ----------
    finding : Finding
    share : float
        Weighted share that states it, drawn towards the base rate.
    base_rate : float
        Share of the archive's reports that state it there.
    beyond_chance : float
        1 where all agree, 0 where they say no more than the base rate.
    probability : float or None
        That the query has it there; None where votes are not calibrated.
    supporters : tuple of Neighbour
        That state it, nearest first.
    against : Neighbour or None
        The nearest that does not state it: one that denies it if there is one.
    """

    finding: Finding
    share: float
    base_rate: float
    beyond_chance: float
    probability: float | None
    supporters: tuple[Neighbour, ...]
    against: Neighbour | None

    @property
    def strength(self) -> float:
        """The probability; where it is not known what is beyond chance stands in, never below 0."""
        return max(0.0, self.beyond_chance) if self.probability is None else self.probability


@dataclass(frozen=True)
class SidesAgreement:
    """Whether the nearest images and the nearest reports say the same.

    Parameters
    ----------
    image_leader, text_leader : Finding or None
        The finding that leads among the neighbours by image alone and by report alone; None where none does.
    shared : int
        Cases that are among the nearest on both sides.
    compared : int
        Cases on each side, the smaller number.
    """

    image_leader: Finding | None
    text_leader: Finding | None
    shared: int
    compared: int

    @property
    def agree(self) -> bool:
        """Whether both sides lead to the same finding, or both to none."""
        return self.image_leader is self.text_leader


@dataclass(frozen=True)
class PlaceEvidence:
    """The evidence of one place.

    Parameters
    ----------
    region : Region or None
        None for the whole.
    box : Box or None
        Where it is on the query's image, pixels.
    drawn : Box or None
        Where a person drew a box for it.
    neighbours : tuple of Neighbour
        That vote, nearest first.
    votes : tuple of Vote
        Of every finding that a neighbour states there, strongest first.
    sides : SidesAgreement or None
        None where it was not asked for.
    rare : tuple of (Finding, Neighbour)
        Rare findings with the nearest case that states each there, whether or not it is a neighbour.
    silence : Silence or None
        Why nothing is stated; None where something is.
    """

    region: Region | None
    box: Box | None
    drawn: Box | None
    neighbours: tuple[Neighbour, ...]
    votes: tuple[Vote, ...]
    sides: SidesAgreement | None = None
    rare: tuple[tuple[Finding, Neighbour], ...] = ()
    silence: Silence | None = None

    @property
    def name(self) -> str:
        """The region's name."""
        return "whole image" if self.region is None else self.region.value

    @property
    def stated(self) -> tuple[Vote, ...]:
        """The votes that count as present."""
        return tuple(vote for vote in self.votes if vote.strength >= STATED_FROM)

    @property
    def possible(self) -> tuple[Vote, ...]:
        """The votes that count as possible and no more."""
        return tuple(vote for vote in self.votes if POSSIBLE_FROM <= vote.strength < STATED_FROM)

    def vote(self, finding: Finding) -> Vote | None:
        """Return the vote on a finding, None where no neighbour states it."""
        return next((vote for vote in self.votes if vote.finding is finding), None)


@dataclass(frozen=True)
class Evidence:
    """The evidence of a query.

    Parameters
    ----------
    places : tuple of PlaceEvidence
        One for each region asked for; all 29 for an image without any.
    result : RetrievalResult
        The answer to the query as asked.
    reports : int
        Reports of the archive that base rates were counted on.
    survey : bool
        Whether nobody named a place, so that every region was looked at.
    calibrated : bool
        Whether votes have probabilities.
    study : str
        The stored study that asks; empty for a file or a text.
    fitted_on : str
        In words: the data that tell what votes are worth; empty where it is not known.
    """

    places: tuple[PlaceEvidence, ...]
    result: RetrievalResult
    reports: int
    survey: bool = False
    calibrated: bool = False
    study: str = ""
    fitted_on: str = ""

    def place(self, region: Region | None) -> PlaceEvidence | None:
        """Return the evidence of a region, None where it was not looked at."""
        return next((place for place in self.places if place.region is region), None)

    @property
    def abstained(self) -> bool:
        """Whether nothing is stated of any place."""
        return all(place.silence is not None for place in self.places)

    def cases(self) -> tuple[str, ...]:
        """Return the neighbours of all places, each once, in the order of the places."""
        return tuple(dict.fromkeys(each.study for place in self.places for each in place.neighbours))


def leader(votes: Iterable[Vote]) -> Finding | None:
    """Return the finding of the strongest vote that counts as present, None where none does."""
    best = max(votes, key=lambda vote: vote.strength, default=None)
    return best.finding if best is not None and best.strength >= STATED_FROM else None
