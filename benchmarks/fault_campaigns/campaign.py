"""How long a campaign goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """The rounds of a campaign.

    Parameters
    ----------
    name : str
        For the line of progress.
    rounds : int
    seconds : float
        After which no round begins any more.
    """

    name: str
    rounds: int
    seconds: float

    def spend(self) -> Iterator[int]:
        """Count the rounds, while there is time."""
        end = time.monotonic() + self.seconds
        for number in range(self.rounds):
            if time.monotonic() > end:
                return
            print(f"\r{self.name}: {number + 1} of {self.rounds}", end="", file=sys.stderr, flush=True)
            yield number
        print(file=sys.stderr)
