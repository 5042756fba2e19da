"""Values of a request's JSON object, each read strictly into its kind."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from enum import Enum
from typing import TypeVar

from edge_retrieve.runtime.errors import QueryError

Choice = TypeVar("Choice", bound=Enum)


def check_names(document: object, known: Collection[str], where: str) -> Mapping[str, object]:
    """Return a JSON object, or raise `QueryError`.

    It does so where it is none, has entries that are not known, is nested too deeply, or has text that is
    not valid Unicode: JSON can write half of a surrogate pair, which neither a file nor an answer can hold.
    """
    names = ", ".join(sorted(known))
    if not isinstance(document, Mapping):
        raise QueryError(
            f"this is not a JSON object: {shown(document)}", where=where, remedy=f"Its entries are {names}"
        )
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise QueryError(
            "a text is not valid Unicode (a lone surrogate)", where=where, remedy="Send text in UTF-8"
        ) from None
    except RecursionError:
        raise QueryError("it is nested too deeply", where=where, remedy=f"Its entries are {names}") from None
    unknown = sorted(set(map(str, document)) - set(known))
    if unknown:
        raise QueryError(
            f"unknown entries {', '.join(unknown)[:200]}", where=where, remedy=f"Known are {names}"
        )
    return document


def text(document: Mapping[str, object], name: str, longest: int) -> str | None:
    """Return a text, None where it is missing or blank."""
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise QueryError(f"{shown(value)} is no text", where=name, remedy="Give one string")
    if len(value) > longest:
        raise QueryError(
            f"the text is longer than {longest} characters", where=name, remedy="Send the part that matters"
        )
    return value if value.strip() else None


def items(document: Mapping[str, object], name: str) -> list[object]:
    """Return a list, empty where it is missing."""
    value = document.get(name, [])
    if not isinstance(value, list):
        raise QueryError(f"{shown(value)} is no list", where=name, remedy="Put it into square brackets")
    return value


def texts(document: Mapping[str, object], name: str) -> list[str]:
    """Return a list of texts, empty where it is missing."""
    found = []
    for item in items(document, name):
        if not isinstance(item, str):
            raise QueryError(f"{shown(item)} is no text", where=name, remedy="Give a list of strings")
        found.append(item)
    return found


def whole(document: Mapping[str, object], name: str, default: int, bounds: tuple[int, int]) -> int:
    """Return a whole number within bounds, both allowed."""
    value = document.get(name, default)
    least, most = bounds
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise QueryError(f"{shown(value)} is no such number", where=name, remedy=f"Give {least} to {most}")
    return value


def number(document: Mapping[str, object], name: str) -> float | None:
    """Return a finite number, None where it is missing."""
    value = document.get(name)
    return None if value is None else finite(value, name)


def finite(value: object, where: str) -> float:
    """Return a finite number, or raise `QueryError`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            as_float = float(value)
        except OverflowError:
            as_float = math.inf
        if math.isfinite(as_float):
            return as_float
    raise QueryError(f"{shown(value)} is no number", where=where, remedy="Give a finite number")


def flag(document: Mapping[str, object], name: str) -> bool:
    """Return true or false; false where it is missing."""
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise QueryError(
            f"{shown(value)} is neither true nor false",
            where=name,
            remedy="Give one of these",
        )
    return value


def choice(kind: type[Choice], value: object, where: str) -> Choice:
    """Return the member with a value, or raise `QueryError`."""
    for member in kind:
        if member.value == value:
            return member
    known = ", ".join(str(member.value) for member in kind)
    raise QueryError(f"{shown(value)} is unknown", where=where, remedy=f"Choose one of {known}")


def shown(value: object) -> str:
    """Return a value as an error shows it, the beginning of a long one."""
    return repr(value)[:80]
