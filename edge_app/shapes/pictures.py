"""Grey values, and where a phrase is."""

from __future__ import annotations

from dataclasses import dataclass

from edge_retrieve.edge_app.shapes.boxes import BoxEdges


@dataclass(frozen=True)
class GreyWindow:
    """A linear window, in units of the grey values."""

    name: str
    center: float
    width: float


@dataclass(frozen=True)
class PixelFacts:
    """What the numbers of ``pixels`` mean."""

    rows: int
    columns: int
    width: int
    height: int
    minimum: int
    maximum: int
    scale: str
    bits: int
    windows: list[GreyWindow]
    note: str


@dataclass(frozen=True)
class LocatedBox:
    """A place that resembles a phrase."""

    box: BoxEdges
    score: float


@dataclass(frozen=True)
class Grounded:
    """Where a phrase is on an image; `ground` is what it comes to as a sentence of a report."""

    phrase: str
    ground: str
    regions: list[str]
    findings: list[str]
    peak: float
    boxes: list[LocatedBox]
    rows: int
    columns: int
    values: list[list[float]]
    width: int
    height: int
    took_ms: float
