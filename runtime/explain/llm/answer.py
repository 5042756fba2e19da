"""What a language model answers, re-validated: its word that it kept to the schema is not taken."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.errors import LanguageModelError
from edge_retrieve.runtime.explain.draft import BoxCitation, CaseCitation, Citation, DraftSentence
from edge_retrieve.runtime.explain.evidence import Evidence
from edge_retrieve.runtime.reports.types import Section

_MOST_SENTENCES = 60
_LONGEST_SENTENCE = 400
_MOST_CITATIONS = 40
_SECTIONS = (Section.FINDINGS.value, Section.IMPRESSION.value)

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["sentences"],
    "properties": {
        "sentences": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["section", "text", "cases", "boxes"],
                "properties": {
                    "section": {"enum": list(_SECTIONS)},
                    "text": {"type": "string"},
                    "cases": {"type": "array", "items": {"type": "integer"}},
                    "boxes": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}
_KEYS = {"section", "text", "cases", "boxes"}


def read_answer(text: str, cases: Sequence[str], evidence: Evidence) -> tuple[DraftSentence, ...]:
    """Return the sentences of an answer, unchecked.

    Parameters
    ----------
    text : str
        The answer: a JSON object of the form of `SCHEMA`, perhaps fenced as code.
    cases : sequence of str
        The studies that the numbers mean, from 1. A number that means none becomes a study that nobody knows.
    evidence : Evidence
        That was asked about; a box that it does not have is cited as an empty one.

    Raises
    ------
    LanguageModelError
        Where it is anything else.
    """
    try:
        found = json.loads(_unfenced(text))
    except (ValueError, RecursionError) as error:
        raise _invalid("is no JSON") from error
    if not isinstance(found, dict) or set(found) != {"sentences"}:
        raise _invalid("is not one object with 'sentences'")
    rows = found["sentences"]
    if not isinstance(rows, list) or not 0 < len(rows) <= _MOST_SENTENCES:
        raise _invalid(f"does not hold 1 to {_MOST_SENTENCES} sentences")
    return tuple(dict.fromkeys(_sentence(row, cases, evidence) for row in rows))


def _sentence(row: object, cases: Sequence[str], evidence: Evidence) -> DraftSentence:
    if not isinstance(row, dict) or set(row) != _KEYS:
        raise _invalid("holds a sentence without section, text, cases or boxes")
    section, text, numbers, boxes = (row[name] for name in ("section", "text", "cases", "boxes"))
    if section not in _SECTIONS or not isinstance(text, str) or len(text) > _LONGEST_SENTENCE:
        raise _invalid("holds a sentence of an unknown section, or one that is too long")
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise _invalid("cites cases by other than numbers")
    if not isinstance(boxes, list) or not all(isinstance(name, str) for name in boxes):
        raise _invalid("cites boxes by other than names")
    if len(numbers) + len(boxes) > _MOST_CITATIONS:
        raise _invalid(f"cites more than {_MOST_CITATIONS} things for one sentence")
    citations: list[Citation] = [
        CaseCitation(cases[number - 1] if 0 < number <= len(cases) else f"case {number}", None)
        for number in dict.fromkeys(numbers)
    ]
    citations += [box for name in dict.fromkeys(boxes) if (box := _box(name, evidence)) is not None]
    return DraftSentence(Section(section), " ".join(text.split()), tuple(citations))


def _box(name: str, evidence: Evidence) -> BoxCitation | None:
    """Return the box of a region that was looked at; a name that is none is no ground to rest on."""
    place = next((place for place in evidence.places if place.region == name.strip().lower()), None)
    box = None if place is None else place.drawn or place.box
    return BoxCitation(Region(place.region), box) if place and place.region and box else None


def _unfenced(text: str) -> str:
    """Return what stands inside a code fence; models put one around JSON against all advice."""
    inside = text.strip()
    if inside.startswith("```") and inside.endswith("```") and "\n" in inside:
        inside = inside[inside.index("\n") + 1 : -3]
    return inside


def _invalid(what: str) -> LanguageModelError:
    return LanguageModelError(
        f"the answer of the language model {what}",
        remedy="The template's draft stands in; another model may keep to the form better",
    )
