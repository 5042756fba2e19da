"""Which studies an archive holds: patients, their visits, and deliberately similar cases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np

from edge_retrieve.runtime.anatomy import Laterality, Region
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.spec import PLACEMENTS, CaseSpec, Lesion, Severity

T = TypeVar("T")


class Split(str, Enum):
    """What a study is used for; all studies of a patient are in one split."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class Variant(str, Enum):
    """How a study relates to the first one of its patient."""

    ORIGINAL = "original"
    FOLLOW_UP = "follow-up"
    OTHER_REGION = "same finding in another region"
    OTHER_FINDING = "another finding in the same region"
    MIRRORED = "mirrored side"
    CLEAN_TWIN = "clean twin"


@dataclass(frozen=True)
class PlannedStudy:
    """One study of an archive, before it is rendered.

    Parameters
    ----------
    study, patient : str
        Identifiers, unique across seeds and splits.
    visit : int
        0 for the patient's first study.
    split : Split
    spec : CaseSpec
    variant : Variant
    """

    study: str
    patient: str
    visit: int
    split: Split
    spec: CaseSpec
    variant: Variant


class Density(str, Enum):
    """How much an archive's studies show."""

    CLINICAL = "clinical"
    CROWDED = "crowded"


# Shares of patients in a mixed archive: of ten, the ninth validates and the tenth tests.
_SPLIT_OF_TEN = (Split.TRAIN,) * 8 + (Split.VAL, Split.TEST)
# A crowded archive is for training: each image then teaches about three findings, not one.
_CLEAN_PATIENTS = {Density.CLINICAL: 0.25, Density.CROWDED: 0.08}
_VISITS = ((1, 0.35), (2, 0.30), (3, 0.20), (4, 0.15))
_LESIONS = {
    Density.CLINICAL: ((1, 0.50), (2, 0.33), (3, 0.17)),
    Density.CROWDED: ((1, 0.10), (2, 0.20), (3, 0.30), (4, 0.25), (5, 0.15)),
}
_SEVERITIES = (Severity.MILD, Severity.MODERATE, Severity.MODERATE, Severity.SEVERE)
# How often a pair comes in one pass of the deck: pairs of findings with few places come more often, so
# that cardiomegaly (one place) is about as frequent as, say, consolidation of the lower lobes.
_COPIES = {1: 4, 2: 3, 3: 2}
# In a crowded archive these come twice as often: they are the ones that take most examples to learn.
_SUBTLE = frozenset(
    {
        Finding.NODULE, Finding.MASS, Finding.CALCIFIED_GRANULOMA, Finding.CONSOLIDATION, Finding.ATELECTASIS,
        Finding.INTERSTITIAL_OPACITY, Finding.RIB_FRACTURE, Finding.CLAVICLE_FRACTURE,
    }
)  # fmt: skip
_DEVICES = frozenset({Finding.CENTRAL_LINE, Finding.ENDOTRACHEAL_TUBE, Finding.ENTERIC_TUBE})
_VARIANTS = (
    (Variant.FOLLOW_UP, 0.18), (Variant.OTHER_REGION, 0.24), (Variant.OTHER_FINDING, 0.20),
    (Variant.MIRRORED, 0.22), (Variant.CLEAN_TWIN, 0.16),
)  # fmt: skip


def sample_archive(
    studies: int, seed: int, *, split: Split | None = None, density: Density = Density.CLINICAL
) -> tuple[PlannedStudy, ...]:
    """Plan an archive.

    Parameters
    ----------
    studies : int
        Number of studies; a shorter archive of the same seed is the beginning of a longer one.
    seed : int
        Archives of different seeds, and of different `split`, share no patient.
    split : Split, optional
        Put every patient in this split. Without it, eight of ten patients train, one validates, one tests.

    density : Density

    Raises
    ------
    ConfigError
        `studies` is not positive or `seed` is negative.
    """
    if studies < 1:
        raise ConfigError(f"an archive needs at least one study, not {studies}", where="studies")
    if seed < 0:
        raise ConfigError(f"a seed is not negative, {seed} is", where="seed")
    scope = split.value if split else "mixed"
    deck = _deal(np.random.default_rng(_hash(seed, scope, "deck")), density)
    planned: list[PlannedStudy] = []
    index = 0
    while len(planned) < studies:
        patient_split = split or _SPLIT_OF_TEN[index % 10]
        planned += _patient(_hash(seed, scope, "patient", index), patient_split, deck, density)
        index += 1
    return tuple(planned[:studies])


def conflicts(first: tuple[Finding, Region], second: tuple[Finding, Region]) -> bool:
    """Return whether two (finding, region) pairs would hide or imitate each other in one image."""
    return bool(_footprint(*first) & _footprint(*second))


def _footprint(finding: Finding, region: Region) -> frozenset[Region]:
    """Return the regions that a lesion claims for itself, wider than where it counts as present."""
    side = region.laterality.value

    def own(*names: str) -> frozenset[Region]:
        return frozenset(Region(f"{side} {name}") for name in names)

    match finding:
        case Finding.PULMONARY_EDEMA:
            return frozenset(
                place for place in Region if place.value.endswith(("lung zone", "hilar structures"))
            )
        case Finding.PNEUMOTHORAX:
            return own("apical zone", "upper lung zone")
        case Finding.PLEURAL_EFFUSION | Finding.ELEVATED_HEMIDIAPHRAGM:
            return own("costophrenic angle", "hemidiaphragm", "lower lung zone")
        case Finding.SCARRING:
            return own("apical zone")
        case Finding.AORTIC_ENLARGEMENT | Finding.MEDIASTINAL_WIDENING:
            return frozenset({Region.AORTIC_ARCH, Region.UPPER_MEDIASTINUM, Region.MEDIASTINUM})
        case Finding.CENTRAL_LINE:
            return frozenset(PLACEMENTS[finding])
        case Finding.PACEMAKER:  # nobody has two
            return own("upper lung zone") | {Region.RIGHT_ATRIUM}
        case _:
            return frozenset({region})


def _deal(rng: np.random.Generator, density: Density) -> Iterator[tuple[Finding, Region]]:
    """Yield (finding, region) pairs for ever, each pass holding every pair."""
    often = _SUBTLE if density is Density.CROWDED else frozenset()
    pairs = [
        (finding, region)
        for finding, places in PLACEMENTS.items()
        for region in places
        for _ in range(_COPIES.get(len(places), 1) * (2 if finding in often else 1))
    ]
    while True:
        for index in rng.permutation(len(pairs)):
            yield pairs[int(index)]


def _patient(
    key: int, split: Split, deck: Iterator[tuple[Finding, Region]], density: Density
) -> Iterator[PlannedStudy]:
    rng = np.random.default_rng(key)
    patient = f"P{key:016x}"[:13].upper()
    lesions = _first_visit(rng, deck, density)
    visits = _weighted(rng, _VISITS)
    for visit in range(visits):
        variant, shown = Variant.ORIGINAL, lesions
        if visit:
            variant, shown = _later_visit(rng, lesions, deck, density)
        spec = CaseSpec(
            patient_seed=key,
            study_seed=int(rng.integers(2**31)),
            view=_view(rng, shown),
            lesions=shown,
        )
        yield PlannedStudy(f"{patient}-{visit + 1}", patient, visit, split, spec, variant)


def _first_visit(
    rng: np.random.Generator, deck: Iterator[tuple[Finding, Region]], density: Density
) -> tuple[Lesion, ...]:
    if rng.random() < _CLEAN_PATIENTS[density]:
        return ()
    wanted = _weighted(rng, _LESIONS[density])
    pairs: list[tuple[Finding, Region]] = []
    for _ in range(wanted):
        pair = next(deck)
        if not any(conflicts(pair, other) for other in pairs):
            pairs.append(pair)
    return tuple(_lesion(rng, *pair) for pair in pairs)


def _later_visit(
    rng: np.random.Generator,
    lesions: tuple[Lesion, ...],
    deck: Iterator[tuple[Finding, Region]],
    density: Density,
) -> tuple[Variant, tuple[Lesion, ...]]:
    """Return a study made to be mistaken for the first one, or a plain follow-up where none can be made."""
    variant = _weighted(rng, _VARIANTS)
    if not lesions:
        return Variant.FOLLOW_UP, _first_visit(rng, deck, density)
    changed: tuple[Lesion, ...] | None
    if variant is Variant.CLEAN_TWIN:
        return variant, ()
    if variant is Variant.MIRRORED:
        changed = _mirrored(rng, lesions)
    elif variant is Variant.OTHER_REGION:
        changed = _replaced(
            rng, lesions, lambda old: [(old.finding, place) for place in PLACEMENTS[old.finding]]
        )
    elif variant is Variant.OTHER_FINDING:
        changed = _replaced(
            rng,
            lesions,
            lambda old: [(f, old.region) for f, places in PLACEMENTS.items() if old.region in places],
        )
    else:
        changed = None
    if changed is None:
        return Variant.FOLLOW_UP, tuple(_lesion(rng, old.finding, old.region) for old in lesions)
    return variant, changed


def _mirrored(rng: np.random.Generator, lesions: tuple[Lesion, ...]) -> tuple[Lesion, ...] | None:
    if all(
        lesion.region.laterality is Laterality.MIDLINE or len(PLACEMENTS[lesion.finding]) < 2
        for lesion in lesions
    ):
        return None
    return tuple(
        _lesion(
            rng,
            old.finding,
            old.region.mirrored if old.region.mirrored in PLACEMENTS[old.finding] else old.region,
        )
        for old in lesions
    )


def _replaced(
    rng: np.random.Generator,
    lesions: tuple[Lesion, ...],
    options: Callable[[Lesion], list[tuple[Finding, Region]]],
) -> tuple[Lesion, ...] | None:
    """Return the lesions with one of them exchanged for an option that conflicts with no other."""
    for index in rng.permutation(len(lesions)):
        old = lesions[int(index)]
        others = [(lesion.finding, lesion.region) for lesion in lesions if lesion is not old]
        free = [
            pair
            for pair in options(old)
            if pair != (old.finding, old.region) and not any(conflicts(pair, other) for other in others)
        ]
        if free:
            new = free[int(rng.integers(len(free)))]
            return tuple(_lesion(rng, *(new if x is old else (x.finding, x.region))) for x in lesions)
    return None


def _lesion(rng: np.random.Generator, finding: Finding, region: Region) -> Lesion:
    severity = _SEVERITIES[int(rng.integers(len(_SEVERITIES)))]
    return Lesion(finding, region, severity, int(rng.integers(2**31)))


def _view(rng: np.random.Generator, lesions: tuple[Lesion, ...]) -> View:
    """Return a projection: patients with tubes lie in bed."""
    in_bed = any(lesion.finding in _DEVICES for lesion in lesions)
    return View.AP if rng.random() < (0.8 if in_bed else 0.25) else View.PA


def _weighted(rng: np.random.Generator, options: tuple[tuple[T, float], ...]) -> T:
    return options[int(rng.choice(len(options), p=[weight for _, weight in options]))][0]


def _hash(*parts: object) -> int:
    """Return a 63-bit number that depends on every part."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
