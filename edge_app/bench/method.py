"""One way of searching in a region."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class Method(ABC):
    """One way of searching, which keeps its files in a folder of its own.

    What built the files does not answer: they are opened anew, as a process that starts finds them.

    Parameters
    ----------
    folder : Path
    studies, regions, dim : int
        Shape of what it holds: so many rows in each region, one a study.

    Raises
    ------
    ImportError
        Where its library is not installed.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path, studies: int, regions: int, dim: int) -> None:
        self.folder, self.studies, self.regions, self.dim = folder, studies, regions, dim

    @abstractmethod
    def add(self, region: int, rows: FloatArray) -> None:
        """Take the rows of the next region, one a study."""

    def finish(self) -> None:  # noqa: B027 - most have nothing left to do
        """Force what was added to the disk."""

    @abstractmethod
    def open(self) -> None:
        """Open the files for searching."""

    @abstractmethod
    def search(self, region: int, query: FloatArray, k: int) -> IntArray:
        """Return the studies nearest to a query in a region, best first."""

    def search_batch(self, region: int, queries: FloatArray, k: int, threads: int) -> bool:
        """Answer many queries of a region at once; return whether this method can."""
        return False

    def disk_bytes(self) -> int:
        """Return the size of its files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
