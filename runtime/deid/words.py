"""Names that a file itself gives away, found again in its report."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Family names that are also words of reports: they go only where the whole name stands.
# fmt: off
_WORDS_TOO = frozenset((
    "small", "large", "long", "short", "young", "old", "white", "black", "brown", "green", "gray", "grey",
    "hill", "heart", "bone", "rib", "right", "left", "low", "high", "stable", "clear", "new", "normal",
    "may", "june", "day", "week", "base", "field", "lung", "chest", "air", "line", "tube", "wall",
    "center", "apex", "arch", "mass", "marked", "mild", "severe", "minor", "major", "upper", "lower",
    "middle", "wood", "stone", "rose", "pace", "head", "neck", "hand", "foot", "page", "case", "note",
    "summers", "winter", "good", "strong", "wise", "sharp", "blunt", "round", "view", "film", "best",
))
# fmt: on
_SHORTEST = 2  # characters


def known_pattern(identifiers: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern that finds names and numbers of a patient or a physician; None where there are none.

    Parameters
    ----------
    identifiers : iterable of str
        As in the file: names in DICOM's form (``Family^Given^Middle^Prefix^Suffix``) or any other, patient
        and accession numbers, identifiers.
    """
    alternatives: set[str] = set()
    for identifier in identifiers:
        parts = [part for part in re.split(r"[\^\s,=.;]+", identifier) if part]
        if len(parts) > 1:
            gap = r"[\s,.^]+"
            alternatives.add(gap.join(map(re.escape, parts)))
            alternatives.add(gap.join(map(re.escape, reversed(parts))))
        whole = identifier.strip()
        if len(whole) >= _SHORTEST and any(character.isdigit() for character in whole):
            alternatives.add(re.escape(whole))
        alternatives.update(re.escape(part) for part in parts if _is_telling(part))
    if not alternatives:
        return None
    # The longest first: a whole name goes as a whole.
    ordered = sorted(alternatives, key=lambda alternative: (-len(alternative), alternative))
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(ordered)})(?:'s)?(?![^\W_])", re.IGNORECASE)


def _is_telling(part: str) -> bool:
    """Return whether a part of a name tells of somebody when it stands alone."""
    if part.isdigit():
        return len(part) > 3
    return len(part) > _SHORTEST and part.lower() not in _WORDS_TOO
