"""The archive, the model, and whether the server is ready."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RegionName:
    """A region of the model."""

    name: str
    laterality: str
    position: int


@dataclass(frozen=True)
class RegionList:
    """All regions, in the order of the model's outputs."""

    regions: list[RegionName]


@dataclass(frozen=True)
class FindingList:
    """All findings that a report is read for."""

    findings: list[str]


@dataclass(frozen=True)
class ModelInUse:
    """The model that encodes queries."""

    id: str
    bundle: str
    training_data: str


@dataclass(frozen=True)
class Limits:
    """What a request may ask for at most."""

    max_upload_mib: int
    max_hits: int


@dataclass(frozen=True)
class Archive:
    """The archive that is searched."""

    name: str
    synthetic: bool
    studies: int
    model: ModelInUse
    limits: Limits
    disclaimer: str


@dataclass(frozen=True)
class Alive:
    """That the process lives."""

    status: str


@dataclass(frozen=True)
class ReadyShape:
    """How far the warm-up is; `studies` once it is ready, `what` where it failed or the bundle changes."""

    status: str
    engine: str
    studies: int | None = None
    what: str | None = None
