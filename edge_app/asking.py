"""Requests to the query interface: from JSON or a form to a checked question."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.anatomy.names import region_named
from edge_retrieve.runtime.errors import QueryError

_DEFAULT_K = 10
_KEYS = {"study", "upload", "text", "regions", "boxes", "k"}
_LONGEST_TEXT = 20_000  # characters


@dataclass(frozen=True)
class Question:
    """A checked request.

    Parameters
    ----------
    study, upload : str or None
        The query image: a stored study or an upload; at most one.
    text : str or None
    regions : tuple of Region
    boxes : tuple of Box
        Pixels of the query image as displayed.
    k : int
    """

    study: str | None
    upload: str | None
    text: str | None
    regions: tuple[Region, ...]
    boxes: tuple[Box, ...]
    k: int


def read_question(document: object, max_hits: int) -> Question:
    """Check a request.

    Parameters
    ----------
    document : object
        As decoded from JSON: ``study`` or ``upload``, ``text``, ``regions``, ``boxes``, ``k``.
    max_hits : int
        Largest `k` allowed.

    Raises
    ------
    QueryError
        Where an entry is unknown, of the wrong kind or out of bounds.
    """
    if not isinstance(document, Mapping):
        raise QueryError("the request is not a JSON object", where="request body")
    unknown = sorted(set(map(str, document)) - _KEYS)
    if unknown:
        raise QueryError(
            f"unknown entries {', '.join(unknown)}", where="request body", remedy=f"Known are {sorted(_KEYS)}"
        )
    study, upload = _text(document, "study"), _text(document, "upload")
    if study and upload:
        raise QueryError("a query has one image", where="study, upload", remedy="Leave one of them out")
    text = _text(document, "text")
    if text is not None and len(text) > _LONGEST_TEXT:
        raise QueryError(f"the text is longer than {_LONGEST_TEXT} characters", where="text")
    k = document.get("k", _DEFAULT_K)
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= max_hits:
        raise QueryError(f"{k!r} is no number of cases", where="k", remedy=f"Give 1 to {max_hits}")
    return Question(
        study=study,
        upload=upload,
        text=text,
        regions=tuple(dict.fromkeys(region_named(str(name)) for name in _items(document, "regions"))),
        boxes=tuple(read_box(box) for box in _items(document, "boxes")),
        k=k,
    )


def read_box(edges: object) -> Box:
    """Return a box of four numbers, or raise `QueryError`."""
    if isinstance(edges, Sequence) and not isinstance(edges, str) and len(edges) == 4:
        numbers = [edge for edge in edges if isinstance(edge, int | float) and not isinstance(edge, bool)]
        if len(numbers) == 4 and all(math.isfinite(edge) for edge in numbers):
            return Box(*(float(edge) for edge in numbers))
    raise QueryError(f"{edges!r} is no box", where="boxes", remedy="Give [x1, y1, x2, y2] in pixels")


def form_document(fields: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return a form's fields as the document `read_question` takes.

    ``regions``, ``regions[]`` and ``region`` may be repeated, and so may the boxes, each written
    ``x1,y1,x2,y2``; ``regions`` and ``boxes`` may also be one JSON list.
    """
    document: dict[str, object] = {}
    lists: dict[str, list[object]] = {"regions": [], "boxes": []}
    for name, value in fields:
        name = {"region": "regions", "box": "boxes"}.get(name.removesuffix("[]"), name.removesuffix("[]"))
        if name in lists:
            lists[name] += _listed(name, value)
        elif value:
            document[name] = _number(value) if name == "k" else value
    return document | lists


def _listed(name: str, value: str) -> list[object]:
    if not value.strip():
        return []
    if value.lstrip().startswith("["):
        try:
            listed = json.loads(value)
        except ValueError as error:
            raise QueryError(f"this is not a JSON list ({error})", where=name) from error
        if name == "boxes" and listed and not isinstance(listed[0], list):
            return [listed]
        return list(listed)
    if name == "boxes":
        return [[_float(edge) for edge in value.split(",")]]
    return [value]


def _float(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _number(text: str) -> object:
    return int(text) if text.strip().isdecimal() else text


def _text(document: Mapping[str, object], name: str) -> str | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise QueryError(f"{value!r} is no text", where=name)
    return value if value.strip() else None


def _items(document: Mapping[str, object], name: str) -> list[object]:
    value = document.get(name, [])
    if not isinstance(value, list):
        raise QueryError(f"{value!r} is no list", where=name)
    return value
