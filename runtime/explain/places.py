"""Which places a query is about, and the question to ask for the neighbours of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge_retrieve.runtime.aims import aims_of
from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.encoder import ImageEncoding
from edge_retrieve.runtime.explain.votes import NEIGHBOURS
from edge_retrieve.runtime.grounding import regions_named
from edge_retrieve.runtime.query import Query


@dataclass(frozen=True)
class Part:
    """A question about one place.

    The neighbours of several places together are perhaps near in none of them: each place has its own.

    Parameters
    ----------
    query : Query
    regions : tuple of Region or None
        Those that its hits are neighbours in; empty where only the answer tells.
    """

    query: Query
    regions: tuple[Region | None, ...]


def parts_of(query: Query, encoding: ImageEncoding | None, survey: bool) -> tuple[Part, ...]:
    """Return the questions about a query's places.

    Parameters
    ----------
    query : Query
        Checked.
    encoding : ImageEncoding, optional
        Of its image; None for a stored study, of which only the retriever knows where a box falls.
    survey : bool
        Ask for every region.

    Raises
    ------
    QueryError
        As `aims_of`.
    """
    plain = replace(
        query, regions=(), boxes=(), weights=(), k=max(query.k, NEIGHBOURS), offset=0, min_score=None
    )
    if survey:
        return tuple(_about(plain, region) for region in REGIONS)
    if not query.regions and not query.boxes:
        named = regions_named(query.text or "")
        return tuple(_about(plain, region) for region in named) or (Part(plain, (None,)),)
    if encoding is None:
        boxes = (Part(replace(plain, boxes=(box,)), ()) for box in query.boxes)
        return (*(_about(plain, region) for region in query.regions), *boxes)
    parts: list[Part] = []
    drawn: dict[Box, list[Region | None]] = {}
    for aim in aims_of(query, encoding):
        if aim.box is not None:
            drawn.setdefault(aim.box, []).append(aim.region)
        elif aim.region is not None:
            parts.append(_about(plain, aim.region))
    parts += [Part(replace(plain, boxes=(box,)), tuple(regions)) for box, regions in drawn.items()]
    return tuple(parts)


def same_question(part: Part, query: Query) -> bool:
    """Return whether the answer to a query is the answer to its part."""
    return replace(part.query, weights=query.weights) == query


def _about(plain: Query, region: Region) -> Part:
    return Part(replace(plain, regions=(region,)), (region,))
