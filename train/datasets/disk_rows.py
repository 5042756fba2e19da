"""Rows of a corpus kept in temporary files: what is not asked for takes no memory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt

Scalar = TypeVar("Scalar", bound=np.generic)


class ArrayWriter(Generic[Scalar]):
    """Equal arrays written one after the other, read back as one memory map.

    Parameters
    ----------
    folder : Path
        On a disk with room; the file in it is gone with the process.
    shape : tuple of int
        Of one row.
    dtype : type
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: type[Scalar]) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the map outlives this object
        self._shape, self._dtype, self._rows = shape, dtype, 0

    def append(self, row: npt.NDArray[Scalar]) -> None:
        """Write one row."""
        self._file.write(np.ascontiguousarray(row, dtype=self._dtype).tobytes())
        self._rows += 1

    def finish(self) -> npt.NDArray[Scalar]:
        """Return all rows, shape [N, ...]; nothing can be added any more."""
        self._file.flush()
        shape = (self._rows, *self._shape)
        if not self._rows:  # an empty file cannot be mapped
            rows = np.zeros(shape, dtype=self._dtype)
        else:
            rows = np.memmap(self._file, dtype=self._dtype, mode="r", shape=shape)
        self.close()
        return rows

    def close(self) -> None:
        """Close the file; the map of a finished one holds on to it by itself."""
        self._file.close()


class TextWriter:
    """Texts written one after the other, read back as a sequence.

    Parameters
    ----------
    folder : Path
        On a disk with room; the file in it is gone with the process.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the sequence outlives this object
        self._ends = [0]

    def append(self, text: str) -> None:
        """Write one text."""
        data = text.encode()
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def finish(self) -> TextRows:
        """Return all texts; nothing can be added any more."""
        self._file.flush()
        size = self._ends[-1]
        content = np.memmap(self._file, dtype=np.uint8, mode="r") if size else np.zeros(0, dtype=np.uint8)
        self.close()
        return TextRows(content, np.asarray(self._ends, dtype=np.int64))

    def close(self) -> None:
        """Close the file; the map of a finished one holds on to it by itself."""
        self._file.close()


class TextRows(Sequence[str]):
    """Texts that lie behind each other in one array of bytes.

    Parameters
    ----------
    content : uint8 array
    ends : int64 array of shape [N + 1]
        Text n lies from ``ends[n]`` to ``ends[n + 1]``.
    """

    def __init__(self, content: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> None:
        self._content, self._ends = content, ends

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return one text, or those of a slice."""
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        row = index % len(self)
        return self._content[self._ends[row] : self._ends[row + 1]].tobytes().decode()
