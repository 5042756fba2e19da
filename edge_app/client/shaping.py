"""From JSON to the shapes: dataclasses of dataclasses, lists, tuples, dictionaries and plain values."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from edge_retrieve.edge_app.client.connection import Reply
from edge_retrieve.edge_app.shapes.naming import json_name
from edge_retrieve.runtime.errors import EdgeRetrieveError

Shape = TypeVar("Shape")


class ShapeError(EdgeRetrieveError):
    """An answer is not of the form that this version of the client reads."""


def shaped(kind: type[Shape], document: object) -> Shape:
    """Return a shape from JSON.

    Entries that the shape does not have are passed over: a newer server may say more.

    Parameters
    ----------
    kind : type
        A dataclass.
    document : object
        As decoded from JSON.

    Raises
    ------
    ShapeError
        Where an entry is missing or of another kind.
    """
    made = _read(kind, document, kind.__name__)
    assert isinstance(made, kind)
    return made


def decoded(reply: Reply) -> object:
    """Return the JSON of an answer.

    Raises
    ------
    ShapeError
        Where it is none.
    """
    return parsed(reply.body)


def parsed(text: str | bytes) -> object:
    """Return the JSON of a text, or raise `ShapeError`."""
    try:
        document: object = json.loads(text)
    except ValueError as error:
        raise unreadable("answer") from error
    return document


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, value, where)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(inner, value, where)
    if origin is list and isinstance(value, list):
        return [_read(inner[0], item, where) for item in value]
    if origin is tuple and isinstance(value, list) and len(value) == len(inner):
        return tuple(_read(each, item, where) for each, item in zip(inner, value, strict=True))
    if origin is dict and isinstance(value, dict):
        return {key: _read(inner[1], item, where) for key, item in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise unreadable(where)


def _dataclass(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise unreadable(where)
    hints = _hints(kind)
    given = {each.name: json_name(each.name) for each in fields(kind) if json_name(each.name) in value}
    try:
        return kind(
            **{field: _read(hints[field], value[name], f"{where}.{name}") for field, name in given.items()}
        )
    except TypeError as error:
        raise unreadable(where) from error


def _one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:
        if kind is not type(None):
            try:
                return _read(kind, value, where)
            except ShapeError:
                continue
    raise unreadable(where)


def unreadable(where: str) -> ShapeError:
    """Return the error of an answer, or an entry of it, that is not of the form read here."""
    return ShapeError(
        "the server's answer is not of the form that is read here",
        where=where,
        remedy="Use the same version of edge-retrieve on both sides",
    )
