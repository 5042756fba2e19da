"""Which engine runs the model here, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from edge_retrieve.runtime.backends.base import Backend
from edge_retrieve.runtime.errors import BackendError, MissingExtraError

Opened = TypeVar("Opened")

# The automatic choice takes the first of these that really works.
PREFERENCE = (Backend.TENSORRT, Backend.TENSORRT_RTX, Backend.CUDA, Backend.OPENVINO, Backend.CPU)
ON_CPU = (Backend.OPENVINO, Backend.CPU)


class Refusal(NamedTuple):
    """A backend that was tried and does not work here, and why."""

    backend: Backend
    reason: str


@dataclass(frozen=True)
class Resolution:
    """What the choice of a backend came to.

    Parameters
    ----------
    chosen : Backend
        Never `Backend.AUTO`.
    refused : tuple of Refusal
        Those preferred to it, in the order they were tried; empty where one was asked for by name.
    """

    chosen: Backend
    refused: tuple[Refusal, ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """Return the choice and each refusal, a sentence each."""
        refused = (f"Not {backend.value}: {reason}" for backend, reason in self.refused)
        return (f"Backend {self.chosen.value}.", *refused)


def resolve(
    backend: Backend, openers: Mapping[Backend, Callable[[], Opened]], *, require_gpu: bool = False
) -> tuple[Opened, Resolution]:
    """Open the backend that was asked for, or the best that works.

    Parameters
    ----------
    backend : Backend
    openers : mapping of Backend to callable
        Each opens the model and proves that it runs, or raises. None is called that is not needed. A backend
        that has none is no choice here, and nothing is said of it.
    require_gpu : bool
        Fail rather than compute on the CPU.

    Returns
    -------
    opened : object
        What the opener returned.
    resolution : Resolution

    Raises
    ------
    BackendError
        The one asked for does not work; none does; or only the CPU does though a GPU is required.
    MissingExtraError
        The one asked for is not installed.
    """
    if backend is not Backend.AUTO:
        if require_gpu and backend in ON_CPU:
            raise BackendError(
                "a GPU is required, but the graphs would run on the CPU",
                where=f"backend {backend.value}",
                remedy="Choose another --backend, or drop --require-gpu",
            )
        try:
            return openers[backend](), Resolution(backend)
        except BackendError as error:
            if error.where:
                raise
            # Such as a missing driver, which several backends would miss alike.
            raise BackendError(error.what, where=f"backend {backend.value}", remedy=error.remedy) from error
    refused: list[Refusal] = []
    for candidate in PREFERENCE:
        if candidate not in openers or (require_gpu and candidate in ON_CPU):
            continue
        try:
            return openers[candidate](), Resolution(candidate, tuple(refused))
        except (BackendError, MissingExtraError) as error:
            # Its name stands before the reason wherever one is shown.
            refused.append(Refusal(candidate, str(error).removeprefix(f"backend {candidate.value}: ")))
    reasons = _grouped(refused)
    if require_gpu:
        raise BackendError(
            f"a GPU is required, but the graphs would run on the CPU ({reasons})",
            where="backend auto",
            remedy="See docs/engines.md, or drop --require-gpu",
        )
    raise BackendError(
        f"no engine works here ({reasons})",
        where="backend auto",
        remedy='Install one, such as: pip install "edge-retrieve[cpu]"',
    )


def _grouped(refused: list[Refusal]) -> str:
    """Return the reasons, each once with all backends it holds for."""
    backends: dict[str, list[str]] = {}
    for backend, reason in refused:
        backends.setdefault(reason, []).append(backend.value)
    return " ".join(f"{', '.join(names)}: {reason}" for reason, names in backends.items())
