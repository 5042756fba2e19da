"""Whether the server is ready: its model has run once, so that no query pays for an engine's first run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum

import numpy as np

from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import EdgeRetrieveError

_LOG = logging.getLogger("edge_retrieve.edge_app")


class Stage(str, Enum):
    """How far the warm-up is."""

    WARMING = "warming up"
    REOPENING = "changing to another bundle"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Readiness:
    """How far the warm-up is, or the change to another bundle, and why it is not ready.

    Parameters
    ----------
    stage : Stage
    reason : str
        Empty while warming up, and once ready.
    """

    stage: Stage = Stage.WARMING
    reason: str = ""


def run_once(encoder: Encoder) -> None:
    """Run all three graphs once, an engine's first and slowest time.

    Raises
    ------
    BackendError
        Where the engine fails.
    """
    size = encoder.image_size
    encoder.encode_image(np.full((size, size), 0.5, np.float32))
    encoder.encode_texts(["lungs"])


class WarmUp:
    """Work that is done once in a thread of its own while the server answers already.

    Parameters
    ----------
    work : callable
    turn : context manager
        Held while working.
    """

    def __init__(self, work: Callable[[], None], turn: AbstractContextManager[object]) -> None:
        self._work, self._turn = work, turn
        self._readiness = Readiness()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)

    @property
    def readiness(self) -> Readiness:
        """How far it is."""
        return self._readiness

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Return whether it has ended, well or not, after waiting for that at most so long."""
        return self._done.wait(seconds)

    def _run(self) -> None:
        try:
            with self._turn:
                self._work()
            self._readiness = Readiness(Stage.READY)
        except EdgeRetrieveError as error:
            self._readiness = Readiness(Stage.FAILED, str(error))
        except Exception as error:  # whatever it is, the server must not be called ready
            self._readiness = Readiness(Stage.FAILED, f"{type(error).__name__}: {error}")
            _LOG.exception("the warm-up failed")
        finally:
            self._done.set()
