"""What is to be served: the options of ``serve``, understood once for every form of deployment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_CLOSING_S = 15  # beyond the drain: the store is closed, the engines freed


@dataclass(frozen=True)
class Serving:
    """A server as its options describe it.

    Parameters
    ----------
    arguments : tuple of str
        Of ``edge-retrieve serve``, as given.
    store : Path
    bundle : Path, optional
    host : str
    port : int
    root_path : str
    drain_seconds : int
    """

    arguments: tuple[str, ...]
    store: Path
    bundle: Path | None
    host: str
    port: int
    root_path: str
    drain_seconds: int

    @property
    def stop_seconds(self) -> int:
        """How long it may take to end, seconds."""
        return self.drain_seconds + _CLOSING_S
