"""Names of fields in JSON: a word that Python reserves has an underscore at its end here, not there."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any


def json_name(field: str) -> str:
    """Return how a field is written in JSON."""
    return field.rstrip("_")


def plain(shape: object) -> Any:
    """Return a shape as JSON has it: dictionaries, lists and plain values.

    Parameters
    ----------
    shape : object
        A shape, or a list or tuple of them.
    """
    if is_dataclass(shape) and not isinstance(shape, type):
        return {json_name(each.name): plain(getattr(shape, each.name)) for each in fields(shape)}
    if isinstance(shape, list | tuple):
        return [plain(item) for item in shape]
    if isinstance(shape, dict):
        return {name: plain(value) for name, value in shape.items()}
    return shape
