"""A query as the document that a server takes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edge_retrieve.edge_app.wire import iso_date
from edge_retrieve.runtime.filters import Filters
from edge_retrieve.runtime.query import Query


def document_of(query: Query, *, upload: str | None = None, study: str | None = None) -> dict[str, Any]:
    """Return a query as `Client.query` sends it.

    Parameters
    ----------
    query : Query
        Its image file is left out.
    upload, study : str, optional
        The image that asks.
    """
    weights = query.weights or (1.0,) * (len(query.regions) + len(query.boxes))
    of_regions, of_boxes = weights[: len(query.regions)], weights[len(query.regions) :]
    return {
        "study": study,
        "upload": upload,
        "text": query.text,
        "regions": [
            {"region": region.value, "weight": weight}
            for region, weight in zip(query.regions, of_regions, strict=True)
        ],
        "boxes": [
            {"box": list(box.as_tuple()), "weight": weight}
            for box, weight in zip(query.boxes, of_boxes, strict=True)
        ],
        "combine": query.combine.value,
        "sides": [side.value for side in query.sides],
        "fusion": None if query.fusion is None else asdict(query.fusion),
        "filters": _filters(query.filters),
        "same_patient": query.same_patient,
        "one_per_patient": query.one_per_patient,
        "k": query.k,
        "offset": query.offset,
        "min_score": query.min_score,
    }


def _filters(filters: Filters) -> dict[str, Any]:
    return {
        "findings": [finding.value for finding in filters.findings],
        "sexes": list(filters.sexes),
        "age_from": filters.age_from,
        "age_to": filters.age_to,
        "date_from": iso_date(filters.date_from) or None,
        "date_to": iso_date(filters.date_to) or None,
        "views": [view.value for view in filters.views],
        "exclude_patients": list(filters.exclude_patients),
    }
