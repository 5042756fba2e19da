"""Requests to the query interface: from JSON to a checked question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields

from edge_retrieve.edge_app.fields import (
    check_names,
    choice,
    finite,
    flag,
    items,
    number,
    shown,
    text,
    texts,
    whole,
)
from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.anatomy.names import region_named
from edge_retrieve.runtime.bundle import FusionWeights
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.filters import Filters, date_named, view_named
from edge_retrieve.runtime.findings.names import finding_named
from edge_retrieve.runtime.fusion import check_weights
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.query import BOTH, Combine, Query

DEFAULT_K = 10
LAST_RANK = 10_000
KEYS = {
    "study", "upload", "text", "regions", "boxes", "combine", "sides", "fusion", "filters", "same_patient",
    "one_per_patient", "k", "offset", "min_score",
}  # fmt: skip
LONGEST_TEXT = 20_000  # characters
LONGEST_NAME = 1_000  # characters
FILTER_NAMES = tuple(each.name for each in fields(Filters))
FUSION_NAMES = tuple(each.name for each in fields(FusionWeights))


@dataclass(frozen=True)
class Question:
    """A checked request.

    Parameters
    ----------
    study, upload : str or None
        The query image: a stored study or an upload; at most one.
    query : Query
        The rest; its boxes are in pixels of the query image as displayed.
    """

    study: str | None
    upload: str | None
    query: Query


def read_question(document: object, max_hits: int) -> Question:
    """Check a request.

    Parameters
    ----------
    document : object
        As decoded from JSON; docs/http-api.md lists its entries.
    max_hits : int
        Largest `k` allowed.

    Raises
    ------
    QueryError
        Where an entry is unknown, of the wrong kind or out of bounds.
    """
    asked = check_names(document, KEYS, "request body")
    study, upload = text(asked, "study", LONGEST_NAME), text(asked, "upload", LONGEST_NAME)
    if study and upload:
        raise QueryError("a query has one image", where="study, upload", remedy="Leave one of them out")
    regions = _regions(items(asked, "regions"))
    boxes = [_weighted(item, "box") for item in items(asked, "boxes")]
    weights = (*regions.values(), *(weight for _, weight in boxes))
    query = Query(
        text=text(asked, "text", LONGEST_TEXT),
        regions=tuple(regions),
        boxes=tuple(read_box(box) for box, _ in boxes),
        weights=() if set(weights) <= {1.0} else weights,
        combine=choice(Combine, asked.get("combine", Combine.WEIGHTED.value), "combine"),
        sides=tuple(choice(Modality, side, "sides") for side in dict.fromkeys(texts(asked, "sides"))) or BOTH,
        fusion=_fusion(asked.get("fusion")),
        filters=_filters(asked.get("filters")),
        same_patient=flag(asked, "same_patient"),
        one_per_patient=flag(asked, "one_per_patient"),
        k=whole(asked, "k", DEFAULT_K, (1, max_hits)),
        offset=whole(asked, "offset", 0, (0, LAST_RANK)),
        min_score=number(asked, "min_score"),
    )
    query.check()
    return Question(study, upload, query)


def read_box(edges: object) -> Box:
    """Return a box of four numbers, or raise `QueryError`."""
    if isinstance(edges, Sequence) and not isinstance(edges, str) and len(edges) == 4:
        with suppress(QueryError):
            return Box(*(finite(edge, "boxes") for edge in edges))
    raise QueryError(f"{shown(edges)} is no box", where="boxes", remedy="Give [x1, y1, x2, y2] in pixels")


def _weighted(item: object, name: str) -> tuple[object, float]:
    """Return a region or a box, and its weight: either it stands alone, or in an object beside its weight."""
    if not isinstance(item, Mapping):
        return item, 1.0
    entry = check_names(item, {name, "weight"}, name)
    return entry.get(name), finite(entry.get("weight", 1.0), "weight")


def _regions(listed: Sequence[object]) -> dict[Region, float]:
    found: dict[Region, float] = {}
    for item in listed:
        name, weight = _weighted(item, "region")
        found.setdefault(region_named(str(name)), weight)
    return found


def _fusion(document: object) -> FusionWeights | None:
    if document is None:
        return None
    weights = check_names(document, FUSION_NAMES, "fusion")
    found = FusionWeights(**{name: finite(weights.get(name, 0.0), f"fusion.{name}") for name in FUSION_NAMES})
    check_weights(found)
    return found


def _filters(document: object) -> Filters:
    if document is None:
        return Filters()
    asked = check_names(document, FILTER_NAMES, "filters")
    dates = [text(asked, name, LONGEST_NAME) for name in ("date_from", "date_to")]
    date_from, date_to = (date_named(date) if date else "" for date in dates)
    return Filters(
        findings=tuple(finding_named(name) for name in texts(asked, "findings")),
        sexes=tuple(sex.strip().upper() for sex in texts(asked, "sexes")),
        age_from=number(asked, "age_from"),
        age_to=number(asked, "age_to"),
        date_from=date_from,
        date_to=date_to,
        views=tuple(view_named(name) for name in texts(asked, "views")),
        exclude_patients=tuple(texts(asked, "exclude_patients")),
    )
