"""Report phrases that name a place, and the regions they point at.

A lobe is no zone: "right upper lobe" is read as the right upper lung zone because a frontal image
cannot tell them apart. Matching works on `normalized` text, where abbreviations are written out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge_retrieve.runtime.anatomy.places import BOTH, LEFT, RIGHT, Place, PlacePhrase, is_paired
from edge_retrieve.runtime.anatomy.regions import Laterality

_ABBREVIATIONS: tuple[tuple[str, str], ...] = (
    (r"[\u2010-\u2015-]", " "),
    (r"\brul\b", "right upper lobe"),
    (r"\brml\b", "right middle lobe"),
    (r"\brll\b", "right lower lobe"),
    (r"\blul\b", "left upper lobe"),
    (r"\blll\b", "left lower lobe"),
    (r"\bbi ?bas(ilar|al)\b", r"bilateral bas\1"),
    (r"\bbi ?apical\b", "bilateral apical"),
    (r"\bbi ?hilar\b", "bilateral hilar"),
    (r"\b(?:cp|costo ?phrenic)\b", "costophrenic"),
    (r"\bcardio mediastinal\b", "cardiomediastinal"),
    (r"\bcardio pulmonary\b", "cardiopulmonary"),
    (r"\bair space\b", "airspace"),
    (r"\bmid ?(lung|zone|chest|thorax)", r"mid \1"),
    (r"\brt\b", "right"),
    (r"\blt\b", "left"),
    (r"\bett\b", "endotracheal tube"),
    (r"\bt spine\b", "thoracic spine"),
    (r"\bsub ?segmental\b", "subsegmental"),
)
_ABBREVIATION_RULES = tuple((re.compile(pattern), spelled) for pattern, spelled in _ABBREVIATIONS)


def normalized(text: str) -> str:
    """Return text in lower case with white space folded, hyphens opened and abbreviations written out."""
    text = re.sub(r"\s+", " ", text.lower()).strip()
    for pattern, spelled in _ABBREVIATION_RULES:
        text = pattern.sub(spelled, text)
    return re.sub(r"\s+", " ", text)


# "upper and lower lobes", "upper, middle and lower zones": the noun comes once, after the last one.
_SHARED_NOUN = r"(?=(?:,| and| or|/)[a-z ,/]{0,40}?\b(?:lobe|lung|zone|field)s?\b)"
_NOUN = (
    r"(?: lung| pulmonary)?(?: (?:lobes?|lungs?|zones?|fields?|hemithorax|hemithoraces|chest|thorax|lobar))"
)
_PLACE_PATTERNS: tuple[tuple[Place, str], ...] = (
    (Place.UPPER, rf"upper(?:{_NOUN}|{_SHARED_NOUN})|subclavicular|infraclavicular"),
    (Place.MID, rf"mid(?:dle)?(?:{_NOUN}|{_SHARED_NOUN})|mid to lower lung|lingular?|(?:minor"
                rf"|horizontal) fissure"),
    (
        Place.LOWER,
        rf"lower(?:{_NOUN}|{_SHARED_NOUN})|(?:lung )?bas(?:e|es|ilar|al)(?: (?:lungs?|zones?|lobes?))?"
        rf"|infrahilar"
        r"|(?:lung )?bas(?:e|es)",
    ),
    (Place.APEX, r"(?:lung )?(?:ap(?:ex|ices|ical))(?: (?:lungs?|zones?|regions?))?"),
    (Place.HILUM, r"infrahilar (?:lymph )?nodes?|(?:peri|supra|para|juxta)?hil(?:um|a|ar"
                  r"|us)(?: (?:structures?|regions?|contours?|shadows?|lymph nodes?"
                  r"|nodes?))?"),
    (Place.ANGLE, r"(?:lateral |posterior )?(?:costophrenic|cardiophrenic) (?:angles?|sulc(?:us|i)"
                  r"|recess(?:es)?|xxxx)"
                  r"|(?:posterior|lateral|costophrenic) sulc(?:us|i)|costophrenic"),
    (Place.DIAPHRAGM, r"(?:hemi)?diaphragm(?:s|atic)?(?: (?:domes?|contours?))?"),
    (Place.CLAVICLE, r"clavic(?:les?|ular)(?: heads?)?|collar ?bones?"),
    (Place.LUNG, r"lungs?(?: (?:fields?|parenchyma|zones?))?|pulmonary parenchyma|hemithora(?:x|ces)"
                 r""),
    (Place.RIB, r"(?:\d+(?:st|nd|rd|th) )?ribs?(?: cage)?"),
    (Place.PLEURA, r"pleural (?:spaces?|surfaces?|margins?|reflections?)|pleura"),
    (Place.RETROCARDIAC, r"retro ?cardiac(?: (?:region|space|area))?|behind the heart"),
    (Place.HEART, r"heart(?: (?:size|silhouette|shadow|borders?|contours?))?"
                  r"|cardiac(?: (?:size|silhouettes?|shadow|borders?|contours?|apex))?|(?:left "
                  r"|right )?ventric(?:le|ular)"),
    (Place.CARDIOMEDIASTINAL,
     r"cardiomediastinal(?: (?:silhouettes?|contours?|size|structures?|shadow))?"
     r"|(?:heart|cardiac) and mediastin(?:um|al)(?: (?:silhouettes?|contours?|size|structures?))?"),
    (Place.CARDIOPULMONARY, r"cardiopulmonary|heart and lungs"),
    (Place.MEDIASTINUM, r"mediastin(?:um|al)(?: (?:silhouettes?|contours?|structures?|widths?|lymph nodes?"
                        r"|nodes?))?"
                        r"|subcarinal|azygos"),
    (Place.UPPER_MEDIASTINUM, r"(?:superior|upper) mediastin(?:um|al)(?: (?:contours?|silhouette))?"
                              r"|paratracheal(?: stripe)?"),
    (Place.AORTA, r"(?:(?:ascending|descending|thoracic|transverse) )*aort(?:a|ic)(?: (?:arch|knob|knuckle"
                  r"|contour|shadow))?"
                  r"|arch of the aorta"),
    (Place.TRACHEA, r"trache(?:a|al)|central airways?"),
    (Place.CARINA, r"carina"),
    (Place.SVC, r"svc|superior vena cava|brachiocephalic(?: vein)?"),
    (Place.CAVOATRIAL, r"(?:cavo ?atrial|svc(?:/| )?(?:right atrial|ra|atrial)"
                       r"|superior cavoatrial) junction|atriocaval junction"),
    (Place.RIGHT_ATRIUM, r"right atri(?:um|al)"),
    (Place.VESSELS, r"(?:central |lung |pulmonary )*(?:vasculature|vascularity|vascular(?: markings)?"
                    r"|vessels?)"),
    (Place.PULMONARY_ARTERY, r"(?:central |main )?pulmonary (?:arter(?:y|ies)|arterial(?: trunk)?|trunk)"),
    (Place.SPINE, r"(?:thoracic |lumbar |thoracolumbar |cervical |dorsal )?(?:spine|spinal|vertebra(?:e"
                  r"|l)?)(?: (?:bod(?:y|ies)|column))?"
                  r"|thoracic (?:body|bodies|xxxx)|[tl]\d{1,2}(?: ?(?:-|and|to)? ?[tl]?\d{1,2})?"),
    (Place.ABDOMEN, r"(?:upper )?abdom(?:en|inal)|stomach|gastric(?: (?:fundus|body|bubble))?|duodenum"
                    r"|(?:(?:right|left) )?upper quadrants?|sub ?diaphragmatic|under the diaphragm"
                    r"|intraperitoneal|bowel"),
    (Place.ELSEWHERE, r"(?:right |left |bilateral )?(?:shoulders?|humer(?:us|al)|scapulae?|axill(?:a|ary)"
                      r"|breasts?"
                      r"|(?:internal )?jugular(?: vein)?|subclavian(?: vein)?|ij|atri(?:um|al)|neck"
                      r"|nipples?|acromioclavicular|apical lordotic)"
                      r"|(?:right |left )lateral (?:views?|radiographs?|projections?|chest)"),
)  # fmt: skip
_PLACES = tuple((place, re.compile(rf"\b(?:{pattern})(?![a-z])")) for place, pattern in _PLACE_PATTERNS)
# Places whose name says the side.
_MEANT_SIDE = (
    (re.compile(r"lingul"), LEFT),
    (
        re.compile(
            r"middle (?:lobe|lobar)|(?:minor"
            r"|horizontal)"
        ),
        RIGHT,
    ),
)

_SIDE = re.compile(
    r"\b(?:(?P<both>bilateral(?:ly)?|both|(?:right|left)(?: side[d]?)?(?: greater than| more than"
    r"| less than|,?"
    r" and| or| and/or|/) ?(?:the )?(?:right|left)(?! [a-z ]{0,20}\b(?:and|or)\b (?:the )?(?:right|left)))"
    r"|(?P<right>right)|(?P<left>left))(?: sided?)?\b"
)
_TRAILING_SIDE = re.compile(
    r"(?: (?:lung|zones?|region))?,? (?:of|on|in|at|within) (?:the )?(?P<side>right|left|both|either)"
    r"(?: (?:lungs?|hemithorax|chest|side)\b)?"
)
# "mid lung opacity on the left", "lung bases bilaterally"
_SIDE_FOLLOWS = re.compile(r"(?: [a-z]+){0,4},? (?:(?:on|of|in|at) (?:the )?)?")
_SIDE_STOPS = re.compile(r"\b(?:and|with|or|without)\b")
_ZONES = frozenset({Place.UPPER, Place.MID, Place.LOWER, Place.APEX, Place.HILUM, Place.ANGLE, Place.PLEURA,
                    Place.RIB, Place.DIAPHRAGM})  # fmt: skip


@dataclass(frozen=True)
class _SideWord:
    start: int
    end: int
    sides: tuple[Laterality, ...]


def find_places(text: str, barriers: Sequence[int] = ()) -> tuple[PlacePhrase, ...]:
    """Return the places named in a clause, in order, each with the side stated for it.

    Parameters
    ----------
    text : str
        One clause of `normalized` text.
    barriers : sequence of int
        Character positions (of finding words) that a side word is not used up across: in "right
        effusion and basilar atelectasis" the side serves both.

    Returns
    -------
    tuple of PlacePhrase
        Side words that no place uses come as `Place.SIDE`.
    """
    spans = _longest([(m.start(), m.end(), place) for place, rule in _PLACES for m in rule.finditer(text)])
    words = [
        _SideWord(m.start(), m.end(), BOTH if m["both"] else (RIGHT,) if m["right"] else (LEFT,))
        for m in _SIDE.finditer(text)
        if not any(start <= m.start() < end for start, end, _ in spans)
    ]
    used: set[int] = set()
    swallowed: set[int] = set()
    found: list[PlacePhrase] = []
    for index, (start, end, place) in enumerate(spans):
        if index in swallowed:
            continue
        phrase = text[start:end]
        trailing = _TRAILING_SIDE.match(text, end) if place in _ZONES else None
        before = next((word for word in reversed(words) if word.end <= start), None)
        if (before and text[before.end : start].strip(" ,") == "") or not trailing:
            trailing = None
        sides: tuple[Laterality, ...] = ()
        if trailing:
            sides = {"right": (RIGHT,), "left": (LEFT,)}.get(trailing["side"], BOTH)
            used |= {word.start for word in words if trailing.start() <= word.start < trailing.end()}
            swallowed |= {i for i, (s, _, _) in enumerate(spans) if trailing.start() <= s < trailing.end()}
        elif meant := next((side for rule, side in _MEANT_SIDE if rule.search(phrase)), None):
            sides = (meant,)
            if before and text[before.end : start].strip() == "":
                used.add(before.start)
        elif is_paired(place):
            if before:
                sides = before.sides
            elif after := _following_side(text, end, words):
                sides = after.sides
                used.add(after.start)
            if before and not any(before.end <= stop < start for stop in barriers):
                used.add(before.start)
        elif place is Place.ELSEWHERE and (own := _SIDE.match(phrase)):
            sides = BOTH if own["both"] else (RIGHT,) if own["right"] else (LEFT,)
        elif before and len(text[before.end : start].split()) <= 1:
            used.add(before.start)  # "right paratracheal", "left heart border"
        found.append(PlacePhrase(start, end, place, sides))
    found += [PlacePhrase(w.start, w.end, Place.SIDE, w.sides) for w in words if w.start not in used]
    return tuple(sorted(found, key=lambda phrase: phrase.start))


def _following_side(text: str, end: int, words: Sequence[_SideWord]) -> _SideWord | None:
    """Return the side word that follows a place and belongs to it."""
    after = next((word for word in words if word.start >= end), None)
    if after is None or _SIDE_STOPS.search(text, end, after.start):
        return None
    return after if _SIDE_FOLLOWS.fullmatch(text, end, after.start) else None


def _longest(spans: list[tuple[int, int, Place]]) -> list[tuple[int, int, Place]]:
    """Return non-overlapping spans in order, the longer of two that overlap."""
    kept: list[tuple[int, int, Place]] = []
    for span in sorted(spans, key=lambda s: (s[0] - s[1], s[0])):
        if all(span[1] <= other[0] or other[1] <= span[0] for other in kept):
            kept.append(span)
    return sorted(kept)
