"""Decoded images on disk: every file is read once, however often a model is trained on it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.errors import DataSetError, PixelError
from edge_retrieve.runtime.preprocess import letterbox, load_radiograph
from edge_retrieve.runtime.preprocess.types import View

# Of what a pixel is made; another way to make it must not be served from an older cache.
_RECIPE = "load_radiograph, letterbox, round to uint8; 1"
_BATCH = 64  # images between flushes
_COLUMNS = "row, width, height, view, reason"


@dataclass(frozen=True)
class DecodedImage:
    """One image of the cache.

    Parameters
    ----------
    row : int
        Where its pixels are; -1 where the file is unusable.
    width, height : int
        Of the image as displayed, pixels.
    view : View
        As the file says.
    reason : str
        Why it is unusable; empty where it is fine.
    """

    row: int
    width: int
    height: int
    view: View
    reason: str


class DecodedCache:
    """Letterboxed images in one file, appended to, and a table of what is where.

    The table is written after the pixels it speaks of, so a run that was killed goes on where it stopped. An
    image is known by its path, size and time of change: a file that was replaced is decoded anew. One process
    has a cache open at a time; another waits, and then finds what the first one decoded.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    size : int
        Side of the square, pixels. Each size has its own files.

    Raises
    ------
    DataSetError
        The folder cannot be written, or its table is damaged.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder.expanduser(), size
        name = f"decoded-{size}-{hashlib.sha256(_RECIPE.encode()).hexdigest()[:8]}"
        self._pixels = self.folder / f"{name}.u8"
        self._table = self.folder / f"{name}.sqlite"
        self._waiting: list[tuple[str, DecodedImage]] = []
        with ExitStack() as opened:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = opened.enter_context((self.folder / f"{name}.lock").open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._pixels.touch()
                self._connection = opened.enter_context(closing(sqlite3.connect(self._table)))
                self._rows = self._count()
                # What a killed run wrote and did not enter is overwritten.
                os.truncate(self._pixels, self._rows * size * size)
                self._stream = opened.enter_context(self._pixels.open("ab"))
                self._reader = opened.enter_context(self._pixels.open("rb"))
            except (OSError, sqlite3.Error) as error:
                raise self._damaged(str(error)) from error
            self._opened = opened.pop_all()

    def _count(self) -> int:
        """Return the number of images that the table and the pixels agree on."""
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS images (key TEXT PRIMARY KEY, row INTEGER, width INTEGER, "
            "height INTEGER, view TEXT, reason TEXT)"
        )
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS boxes (row INTEGER, finder TEXT, boxes BLOB, "
            "PRIMARY KEY (row, finder))"
        )
        last = self._connection.execute("SELECT max(row) FROM images").fetchone()[0]
        rows = 0 if last is None else int(last) + 1
        held = self._pixels.stat().st_size // (self.size * self.size)
        if held < rows:
            raise self._damaged(f"it holds {held} images, its table says {rows}")
        return rows

    def _damaged(self, reason: str) -> DataSetError:
        return DataSetError(
            f"the cache of decoded images cannot be used ({reason})",
            where=str(self._pixels),
            remedy="Check the disk; the cache may be deleted, it is made again",
        )

    def __len__(self) -> int:
        return self._rows

    def add(self, path: Path) -> DecodedImage:
        """Return an image of the cache, decoding it where it is not there yet.

        An unusable file is entered with its reason, and not tried again until it changes.

        Parameters
        ----------
        path : Path

        Raises
        ------
        DataSetError
            The disk is full, or the cache cannot be written.
        """
        key = _identity(path)
        if key is None:
            return DecodedImage(-1, 0, 0, View.UNKNOWN, "there is no such file")
        known = self._find(key)
        if known is None:
            known = self._decode(path)
            self._waiting.append((key, known))
            if len(self._waiting) >= _BATCH:
                self.flush()
        return known

    def _find(self, key: str) -> DecodedImage | None:
        for waiting, image in self._waiting:
            if waiting == key:
                return image
        found = self._connection.execute(f"SELECT {_COLUMNS} FROM images WHERE key = ?", (key,)).fetchone()
        if found is None:
            return None
        row, width, height, view, reason = found
        return DecodedImage(row, width, height, View(view), reason)

    def _decode(self, path: Path) -> DecodedImage:
        try:
            radiograph = load_radiograph(path)
        except PixelError as error:
            return DecodedImage(-1, 0, 0, View.UNKNOWN, error.what)
        height, width = radiograph.pixels.shape
        square, _ = letterbox(radiograph.pixels, self.size)
        try:
            self._stream.write(np.rint(square[0] * 255.0).astype(np.uint8).tobytes())
        except OSError as error:
            raise self._damaged(str(error)) from error
        self._rows += 1
        return DecodedImage(self._rows - 1, width, height, radiograph.view, "")

    def flush(self) -> None:
        """Put what was added on disk: pixels first, then the table.

        Raises
        ------
        DataSetError
            The disk is full, or the cache cannot be written.
        """
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            with self._connection:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (key, image.row, image.width, image.height, image.view.value, image.reason)
                        for key, image in self._waiting
                    ],
                )
        except (OSError, sqlite3.Error) as error:
            raise self._damaged(str(error)) from error
        self._waiting = []

    def read(self, row: int) -> npt.NDArray[np.uint8]:
        """Return one image, shape [S, S], also one that is not on disk yet."""
        self._stream.flush()
        self._reader.seek(row * self.size * self.size)
        data = self._reader.read(self.size * self.size)
        return np.frombuffer(data, dtype=np.uint8).reshape(self.size, self.size)

    def boxes_of(self, row: int, finder: str) -> npt.NDArray[np.float32] | None:
        """Return the boxes and scores [29, 5] that a finder found in an image, None if it was not asked."""
        found = self._connection.execute(
            "SELECT boxes FROM boxes WHERE row = ? AND finder = ?", (row, finder)
        ).fetchone()
        return None if found is None else np.frombuffer(found[0], dtype=np.float32).reshape(-1, 5)

    def keep_boxes(self, row: int, finder: str, boxes: npt.NDArray[np.float32]) -> None:
        """Keep what a finder found, shape [29, 5]; on disk with the next flush, never before its image."""
        self._connection.execute(
            "INSERT OR REPLACE INTO boxes VALUES (?, ?, ?)", (row, finder, boxes.astype(np.float32).tobytes())
        )

    def pixels(self, rows: npt.NDArray[np.int64]) -> PixelRows:
        """Return the images in some rows as a sequence, not loaded until each is asked for."""
        self.flush()
        return PixelRows(self._pixels, self.size, rows)

    def close(self) -> None:
        """Put what was added on disk and close the files."""
        with self._opened:
            self.flush()

    def __enter__(self) -> DecodedCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class PixelRows:
    """Rows of a file of decoded images, in any order.

    Parameters
    ----------
    path : Path
    size : int
        Side of the square, pixels.
    rows : int64 array of shape [N]
    """

    def __init__(self, path: Path, size: int, rows: npt.NDArray[np.int64]) -> None:
        self._rows = rows
        # An empty file cannot be mapped.
        self._file = (
            np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, size, size)
            if len(rows)
            else np.zeros((0, size, size), dtype=np.uint8)
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> npt.NDArray[np.uint8]:
        """Return one image, shape [S, S]."""
        return np.asarray(self._file[self._rows[index]], dtype=np.uint8)


def _identity(path: Path) -> str | None:
    """Return what an image is known by; None where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{path.absolute()}|{status.st_size}|{status.st_mtime_ns}"
