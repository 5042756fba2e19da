"""The shapes that an engine was built for."""

from __future__ import annotations

from dataclasses import dataclass

from edge_retrieve.runtime.errors import BackendError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class InputProfile:
    """The range of shapes of one input: an engine computes every shape from the smallest to the largest.

    Parameters
    ----------
    name : str
    smallest, best, largest : tuple of int
        As ``min``, ``opt`` and ``max`` of TensorRT's optimization profiles: kernels are chosen for the best.
    """

    name: str
    smallest: Shape
    best: Shape
    largest: Shape

    def __post_init__(self) -> None:
        lengths = {len(self.smallest), len(self.best), len(self.largest)}
        ordered = len(lengths) == 1 and all(
            0 < low <= middle <= high
            for low, middle, high in zip(self.smallest, self.best, self.largest, strict=True)
        )
        if not ordered:
            raise BackendError(
                f"the profile {self.smallest} to {self.largest}, best {self.best}, is not in order",
                where=f"input '{self.name}'",
            )

    @property
    def extents(self) -> tuple[int | None, ...]:
        """The fixed extents; None where any of a range will do."""
        return tuple(
            low if low == high else None for low, high in zip(self.smallest, self.largest, strict=True)
        )

    def check(self, shape: Shape, where: str) -> None:
        """Raise `BackendError` where a shape is outside the range."""
        fits = len(shape) == len(self.smallest) and all(
            low <= extent <= high
            for low, extent, high in zip(self.smallest, shape, self.largest, strict=True)
        )
        if not fits:
            raise BackendError(
                f"input '{self.name}' has shape {_text(shape)}, the engine was built for "
                f"{_text(self.smallest)} to {_text(self.largest)}",
                where=where,
                remedy="Give fewer at once, or build the engines with a larger profile "
                "(edge-retrieve export tensorrt or tensorrt-rtx: --max-images, --max-boxes, --max-texts)",
            )


def _text(shape: Shape) -> str:
    return " x ".join(map(str, shape))
