"""Where the sentences of a report are on an image."""

from __future__ import annotations

from dataclasses import dataclass

from edge_retrieve.edge_app.shapes.boxes import BoxEdges


@dataclass(frozen=True)
class ValuedBox:
    """A place of a sentence, with the probability or similarity of its best point."""

    box: BoxEdges
    value: float


@dataclass(frozen=True)
class AttributionShape:
    """How much of a sentence's map lies in a region, and whether the sentence names it."""

    region: str
    share: float
    named: bool


@dataclass(frozen=True)
class GroundedSentenceShape:
    """A sentence and where it is; `map` has its values row by row, null where none is or was wanted."""

    text: str
    section: str
    ground: str
    findings: list[str]
    regions: list[str]
    peak: float | None
    boxes: list[ValuedBox]
    attribution: list[AttributionShape]
    map: list[list[float]] | None


@dataclass(frozen=True)
class GroundedText:
    """The sentences of a text on an image; boxes are in pixels of what was looked at, `width` by `height`.

    `region_boxes` are the 29 regions there, in their order.
    """

    width: int
    height: int
    sentences: list[GroundedSentenceShape]
    region_boxes: list[BoxEdges]
