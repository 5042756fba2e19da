"""Filling the slots of a template from a lesion: side, place, size, severity."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from edge_retrieve.runtime.anatomy import Laterality, Region
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.phantom.spec import Lesion, Severity

_SIZE = {
    Severity.MILD: ("small", "tiny", "subcentimeter"),
    Severity.MODERATE: ("moderate-sized", "medium-sized"),
    Severity.SEVERE: ("large", "sizeable"),
}
_DEGREE = {
    Severity.MILD: ("mild", "minimal", "slight", "subtle"),
    Severity.MODERATE: ("moderate",),
    Severity.SEVERE: ("severe", "marked", "extensive"),
}
_AMOUNT = {
    Severity.MILD: ("small", "tiny", "trace"),
    Severity.MODERATE: ("moderate", "moderate-sized"),
    Severity.SEVERE: ("large",),
}
_DEGREE_ADVERB = {
    Severity.MILD: ("mildly", "minimally", "slightly"),
    Severity.MODERATE: ("moderately",),
    Severity.SEVERE: ("severely", "markedly"),
}
# Diameter in millimetres that a report would state, by severity.
_LENGTH_MM = {
    Finding.NODULE: {Severity.MILD: (6, 10), Severity.MODERATE: (11, 18), Severity.SEVERE: (19, 29)},
    Finding.MASS: {Severity.MILD: (31, 40), Severity.MODERATE: (41, 55), Severity.SEVERE: (56, 80)},
}

# Per kind of region: words before a noun, and words after "in" with their preposition.
_BEFORE_NOUN: Mapping[str, tuple[str, ...]] = {
    "upper lung zone": ("{s} upper lobe", "{s} upper lung zone", "{s} upper lung", "{s} upper zone"),
    "mid lung zone": ("{s} mid lung zone", "{s} mid lung", "{s} mid zone", "{lobe}"),
    "lower lung zone": (
        "{s} lower lobe",
        "{s} lower lung zone",
        "{s} basilar",
        "{s} lung base",
        "{s} lower lung",
    ),
    "hilar structures": ("{s} hilar", "{s} perihilar"),
    "apical zone": ("{s} apical", "{s} lung apex"),
}
_AFTER_NOUN: Mapping[str, tuple[str, ...]] = {
    "upper lung zone": ("in the {s} upper lobe", "in the {s} upper lung zone", "within the {s} upper lung",
                        "in the upper zone of the {s} lung", "in the upper lung zone on the {s}"),
    "mid lung zone": ("in the {s} mid lung zone", "in the {s} mid lung", "within the {s} mid zone",
                      "in the mid zone of the {s} lung", "in the {lobe}"),
    "lower lung zone": ("in the {s} lower lobe", "in the {s} lower lung zone", "at the {s} lung base",
                        "at the base of the {s} lung", "at the {s} base", "in the lower zone on the {s}"),
    "hilar structures": ("at the {s} hilum", "in the {s} hilar region", "about the {s} hilum"),
    "apical zone": ("at the {s} apex", "at the {s} lung apex", "in the apex of the {s} lung"),
}  # fmt: skip
_OVER: Mapping[str, tuple[str, ...]] = {
    "upper lung zone": ("over the {s} upper lung zone", "over the {s} upper lobe"),
    "mid lung zone": ("over the {s} mid lung zone", "over the {s} mid lung"),
    "lower lung zone": ("over the {s} lower lung zone", "over the {s} lung base"),
    "hilar structures": ("over the {s} hilum",),
    "apical zone": ("over the {s} apex",),
}
_TIP = {
    Region.SVC: ("SVC", "superior vena cava", "mid SVC", "distal SVC"),
    Region.CAVOATRIAL_JUNCTION: ("cavoatrial junction", "superior cavoatrial junction"),
    Region.RIGHT_ATRIUM: ("right atrium",),
}
_ORDINALS = ("3rd", "4th", "5th", "6th", "7th", "8th", "fourth", "fifth", "sixth", "seventh")
_LOBE = {Laterality.RIGHT: "right middle lobe", Laterality.LEFT: "lingula"}


def fill(template: str, lesion: Lesion, rng: np.random.Generator) -> str:
    """Return a template with its slots filled for a lesion, as a sentence with its first letter capital."""
    side = lesion.region.laterality
    kind = lesion.region.value.partition(" ")[2]

    def pick(options: tuple[str, ...]) -> str:
        option = options[int(rng.integers(len(options)))]
        return option.replace("{s}", side.value).replace("{lobe}", _LOBE.get(side, ""))

    def value(slot: str) -> str:
        match slot:
            case "side":
                return side.value
            case "any_side":
                return pick(("right", "left"))
            case "loc":
                return pick(_BEFORE_NOUN[kind])
            case "in" | "in_front":
                return pick(_AFTER_NOUN[kind])
            case "over":
                return pick(_OVER[kind])
            case "size":
                return pick(_SIZE[lesion.severity])
            case "sev":
                return pick(_DEGREE[lesion.severity])
            case "sevly":
                return pick(_DEGREE_ADVERB[lesion.severity])
            case "amount":
                return pick(_AMOUNT[lesion.severity])
            case "tip":
                return pick(_TIP[lesion.region])
            case "ordinal":
                return pick(_ORDINALS)
            case "depth":
                return f"{rng.uniform(2.0, 6.0):.1f}"
            case "length":
                millimetres = int(rng.integers(*_LENGTH_MM[lesion.finding][lesion.severity], endpoint=True))
                return f"{millimetres} mm" if rng.random() < 0.5 else f"{millimetres / 10:.1f} cm"
        raise KeyError(slot)

    return as_sentence(re.sub(r"\{(\w+)\}", lambda match: value(match[1]), template))


def as_sentence(text: str) -> str:
    """Return text with its indefinite articles and its first letter put right."""
    text = re.sub(r"\b([Aa]) (?=[aeiou]|8|11\b|18\b)", r"\1n ", text)
    return text[0].upper() + text[1:]
