"""A form's fields as the JSON document that a query is read from."""

from __future__ import annotations

import json
from collections.abc import Sequence

from edge_retrieve.edge_app.asking import FILTER_NAMES
from edge_retrieve.runtime.errors import QueryError

# One thing may be sent under the name of the list it goes into.
_PLURALS = {
    "region": "regions", "box": "boxes", "side": "sides", "finding": "findings", "sex": "sexes",
    "view": "views", "exclude_patient": "exclude_patients",
}  # fmt: skip
_LISTS = ("regions", "boxes", "sides")
_FILTER_LISTS = ("findings", "sexes", "views", "exclude_patients")
_WHOLE = ("k", "offset")
_NUMBERS = ("min_score", "age_from", "age_to")
_LONGEST_NUMBER = 40  # characters
_FLAGS = ("same_patient", "one_per_patient")


def form_document(fields: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return a form's fields as the document `asking.read_question` takes.

    What is a list there may be repeated here, under its name, with ``[]`` behind it, or in the singular;
    boxes are written ``x1,y1,x2,y2``. Lists and ``fusion`` may also be JSON. Filters are fields of their own.
    """
    document: dict[str, object] = {}
    filters: dict[str, object] = {}
    lists: dict[str, list[object]] = {name: [] for name in (*_LISTS, *_FILTER_LISTS)}
    for name, value in fields:
        name = name.removesuffix("[]")
        name = _PLURALS.get(name, name)
        if name in lists:
            lists[name] += _listed(name, value)
        elif value:
            (filters if name in FILTER_NAMES else document)[name] = _scalar(name, value)
    document |= {name: lists[name] for name in _LISTS if lists[name]}
    filters |= {name: lists[name] for name in _FILTER_LISTS if lists[name]}
    return document | ({"filters": filters} if filters else {})


def _scalar(name: str, value: str) -> object:
    if name in _WHOLE:
        # A number of thousands of digits is none that counts anything, and Python reads none so long.
        return int(value) if value.strip().isdecimal() and len(value) < _LONGEST_NUMBER else value
    if name in _NUMBERS:
        return _float(value)
    if name in _FLAGS:
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    return _json(name, value) if name == "fusion" else value


def _listed(name: str, value: str) -> list[object]:
    if not value.strip():
        return []
    if value.lstrip().startswith(("[", "{")):
        listed = _json(name, value)
        if not isinstance(listed, list) or (name == "boxes" and listed and _is_number(listed[0])):
            return [listed]
        return listed
    if name == "boxes":
        return [[_float(edge) for edge in value.split(",")]]
    return [value]


def _json(name: str, value: str) -> object:
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise QueryError(
            f"this is not JSON ({error})", where=name, remedy="Repeat the field for a list, or send JSON"
        ) from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _float(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text
