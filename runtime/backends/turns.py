"""Graphs that several threads run: one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from edge_retrieve.runtime.backends.base import Array, Runner


class TakingTurns(Runner):
    """A graph whose callers wait for each other: an engine's buffers are of one run.

    Parameters
    ----------
    runner : Runner
        Returns arrays that are the caller's own.
    turn : context manager
        Held while the graph runs; graphs that share an engine share it.
    """

    def __init__(self, runner: Runner, turn: AbstractContextManager[object]) -> None:
        self._runner, self._turn = runner, turn
        self.name, self.inputs = runner.name, runner.inputs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once, when it is this caller's turn; see `Runner.run`."""
        with self._turn:
            return self._runner.run(inputs)

    def close(self) -> None:
        """Free the engine."""
        with self._turn:
            self._runner.close()
