"""From the neighbours of a place to the votes on what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.calibration import ABSTAIN_BELOW
from edge_retrieve.runtime.explain.base_rates import FINDINGS, BaseRates
from edge_retrieve.runtime.explain.evidence import (
    STATED_FROM,
    Neighbour,
    PlaceEvidence,
    Silence,
    Vote,
)
from edge_retrieve.runtime.explain.votes import NEIGHBOURS, Floats, beyond_chance, vote_shares, vote_weights
from edge_retrieve.runtime.findings import Finding

# From votes beyond chance to probabilities.
Worth = Callable[[Floats], Floats | None]


def place_evidence(
    region: Region | None,
    neighbours: Sequence[Neighbour],
    rates: BaseRates,
    worth: Worth | None,
    *,
    box: Box | None = None,
    drawn: Box | None = None,
    abstain_below: float = ABSTAIN_BELOW,
) -> PlaceEvidence:
    """Let the neighbours of a place vote.

    Parameters
    ----------
    region : Region or None
    neighbours : sequence of Neighbour
        Nearest first; the first `NEIGHBOURS` with a report vote.
    rates : BaseRates
        Of the archive.
    worth : callable, optional
        Returns the probabilities of votes beyond chance of such a query, or None where they are not known.
    box, drawn : Box, optional
        The place on the query's image.
    abstain_below : float
        Where no neighbour is as sure, nothing is stated.
    """
    voting = tuple([each for each in neighbours if each.reported][:NEIGHBOURS])
    votes = _votes(region, voting, rates, worth)
    return PlaceEvidence(
        region,
        box,
        drawn,
        voting,
        votes,
        silence=_silence(neighbours, voting, votes, abstain_below),
    )


def _votes(
    region: Region | None, voting: Sequence[Neighbour], rates: BaseRates, worth: Worth | None
) -> tuple[Vote, ...]:
    named = [finding for finding in FINDINGS if any(finding in each.stated for each in voting)]
    if not named:
        return ()
    weights = vote_weights([each.score if each.probability is None else each.probability for each in voting])
    stated = np.array([[finding in each.stated for finding in named] for each in voting])
    base = np.array([rates.rate(finding, region) for finding in named])
    shares = vote_shares(weights, stated, base)
    kappas = beyond_chance(shares, base)
    known = worth is not None and all(each.probability is not None for each in voting)
    found = worth(kappas) if worth is not None and known else None
    sure = [None] * len(named) if found is None else found.tolist()
    votes = [
        Vote(
            finding=finding,
            share=float(shares[n]),
            base_rate=float(base[n]),
            beyond_chance=float(kappas[n]),
            probability=sure[n],
            supporters=tuple(each for each in voting if finding in each.stated),
            against=_against(voting, finding),
        )
        for n, finding in enumerate(named)
    ]
    return tuple(sorted(votes, key=lambda vote: (-vote.strength, -vote.beyond_chance)))


def _against(voting: Sequence[Neighbour], finding: Finding) -> Neighbour | None:
    others = [each for each in voting if finding not in each.stated]
    denying = [each for each in others if finding in each.denied]
    return next(iter(denying or others), None)


def _silence(
    neighbours: Sequence[Neighbour],
    voting: Sequence[Neighbour],
    votes: Sequence[Vote],
    abstain_below: float,
) -> Silence | None:
    if not neighbours:
        return Silence.NO_NEIGHBOUR
    if not voting:
        return Silence.NO_REPORT
    if votes and votes[0].strength >= STATED_FROM:
        return None
    sure = [each.probability for each in voting if each.probability is not None]
    if sure and max(sure) < abstain_below:
        return Silence.NOT_SIMILAR
    if votes and all(vote.probability is None for vote in votes):
        return Silence.NOT_CALIBRATED
    return Silence.UNDECIDED
