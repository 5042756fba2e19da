"""Evidence made by hand: neighbours with findings, and their votes."""

from types import SimpleNamespace

import pytest

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.explain.base_rates import BaseRates
from edge_retrieve.runtime.explain.evidence import Evidence, Neighbour
from edge_retrieve.runtime.explain.gathering import place_evidence
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import RetrievalResult


def neighbour(rank, *stated, denied=(), probability=0.9, study=None, sentences=(), reported=True):
    return Neighbour(
        study=study or f"case-{rank}",
        rank=rank,
        score=1.0 - rank / 20,
        probability=probability,
        stated=frozenset(stated),
        denied=frozenset(denied),
        sentences=tuple(sentences),
        reported=reported,
    )


BOX = Box(1, 2, 30, 40)


def place(region, neighbours, rates=None, box=BOX):
    """The evidence of a place whose votes are worth what they are beyond chance."""
    rates = rates or BaseRates(100, {(finding, region): 3 for finding in Finding})
    return place_evidence(region, neighbours, rates, lambda votes: votes.clip(0, 1), box=box)


def evidence(*places, survey=False):
    return Evidence(tuple(places), RetrievalResult((), (), (), False), 100, survey=survey, calibrated=True)


@pytest.fixture
def make():
    """The three functions above."""
    return SimpleNamespace(neighbour=neighbour, place=place, evidence=evidence)


@pytest.fixture
def nodule_and_more():
    """A nodule for sure, an effusion perhaps, a normal heart; ten neighbours each."""
    zone, angle = Region.RIGHT_UPPER_LUNG_ZONE, Region.LEFT_COSTOPHRENIC_ANGLE
    nodule = [neighbour(n, Finding.NODULE, study=f"n{n}") for n in range(1, 10)]
    effusion = [neighbour(n, Finding.PLEURAL_EFFUSION, study=f"e{n}") for n in range(1, 5)]
    rest = [neighbour(n, denied=[Finding.PLEURAL_EFFUSION], study=f"e{n}") for n in range(5, 11)]
    clear = [neighbour(n, study=f"h{n}", probability=0.1) for n in range(1, 11)]
    return evidence(
        place(zone, [*nodule, neighbour(10, Finding.MASS, study="n10")]),
        place(angle, [*effusion, *rest]),
        place(Region.CARDIAC_SILHOUETTE, clear),
    )
