"""What an ingest tells of each file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Outcome(str, Enum):
    """What became of a file."""

    ACCEPTED = "accepted"
    FLAGGED = "flagged"
    REJECTED = "rejected"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file.

    Parameters
    ----------
    path : Path
    outcome : Outcome
        A flagged file is stored; its reason says what to know of it.
    reason : str
        Empty where there is nothing to say.
    study : str
        What the archive calls its study; empty where the file was rejected.
    """

    path: Path
    outcome: Outcome
    reason: str
    study: str = ""


@dataclass(frozen=True)
class IngestSummary:
    """What became of all files, in the order they were read.

    Parameters
    ----------
    files : tuple of FileOutcome
    """

    files: tuple[FileOutcome, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many files had an outcome."""
        return sum(item.outcome is outcome for item in self.files)

    @property
    def accepted(self) -> int:
        """Files stored without a doubt, or whose report was updated."""
        return self.count(Outcome.ACCEPTED)

    @property
    def flagged(self) -> int:
        """Files stored with a doubt to know of."""
        return self.count(Outcome.FLAGGED)

    @property
    def rejected(self) -> int:
        """Files not stored."""
        return self.count(Outcome.REJECTED)

    @property
    def unchanged(self) -> int:
        """Files that were in the store already."""
        return self.count(Outcome.UNCHANGED)
