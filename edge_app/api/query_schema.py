"""The JSON schema of a query, for the description of the interface; `asking.read_question` is what checks."""

from __future__ import annotations

from typing import Any

from edge_retrieve.edge_app.asking import (
    DEFAULT_K,
    FUSION_NAMES,
    LAST_RANK,
    LONGEST_NAME,
    LONGEST_TEXT,
)
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.query import Combine

Schema = dict[str, Any]

_NAME: Schema = {"type": "string", "maxLength": LONGEST_NAME}
_NUMBER: Schema = {"type": "number"}
_NAMES: Schema = {"type": "array", "items": {"type": "string"}}
_BOX: Schema = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def _weighted(name: str, plain: Schema) -> Schema:
    """Return the schema of a place: alone, or beside its weight."""
    return {"anyOf": [plain, _object({name: plain, "weight": _NUMBER}, (name,))]}


_FILTERS = _object(
    {
        "findings": _NAMES,
        "sexes": _NAMES,
        "age_from": _or_null(_NUMBER),
        "age_to": _or_null(_NUMBER),
        "date_from": _or_null(_NAME),
        "date_to": _or_null(_NAME),
        "views": _NAMES,
        "exclude_patients": _NAMES,
    }
)

QUERY_SCHEMA: Schema = _object(
    {
        "study": _or_null(_NAME),
        "upload": _or_null(_NAME),
        "text": _or_null({"type": "string", "maxLength": LONGEST_TEXT}),
        "regions": {"type": "array", "items": _weighted("region", {"type": "string"})},
        "boxes": {"type": "array", "items": _weighted("box", _BOX)},
        "combine": {"enum": [each.value for each in Combine], "default": Combine.WEIGHTED.value},
        "sides": {"type": "array", "items": {"enum": [each.value for each in Modality]}},
        "fusion": _or_null(_object({name: {"type": "number", "minimum": 0} for name in FUSION_NAMES})),
        "filters": _or_null(_FILTERS),
        "same_patient": {"type": "boolean", "default": False},
        "one_per_patient": {"type": "boolean", "default": False},
        "k": {"type": "integer", "minimum": 1, "default": DEFAULT_K},
        "offset": {"type": "integer", "minimum": 0, "maximum": LAST_RANK, "default": 0},
        "min_score": _or_null({**_NUMBER, "minimum": -1, "maximum": 1}),
    }
)
