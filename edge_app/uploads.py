"""Uploaded images, kept in a private temporary folder while they may be asked about."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Generic, TypeVar

from edge_retrieve.edge_app.access.current import LOCAL, current_user
from edge_retrieve.edge_app.refusals import NotFoundError

Read = TypeVar("Read")


@dataclass(frozen=True)
class Upload(Generic[Read]):
    """One uploaded image.

    Parameters
    ----------
    id : str
        Unguessable name, valid until the upload is dropped.
    file_name : str
        As the sender named it, for display only.
    path : Path
        Where the bytes lie.
    content : Read
        What reading it gave.
    owner : str
        Whose it is: nobody else is told of it.
    """

    id: str
    file_name: str
    path: Path
    content: Read
    owner: str = LOCAL


class Uploads(Generic[Read]):
    """The latest uploads; the oldest is dropped when the room is full.

    Parameters
    ----------
    kept : int
        How many are kept.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._items: OrderedDict[str, Upload[Read]] = OrderedDict()
        self._folder: Path | None = None

    def add(self, data: bytes, file_name: str, read: Callable[[Path], Read]) -> Upload[Read]:
        """Keep the bytes and what `read` makes of them; nothing is kept where `read` fails.

        Errors of `read` pass through, naming the sender's file rather than ours.
        """
        name = PurePath(file_name.replace("\\", "/")).name or "image"
        path = self._room() / (secrets.token_urlsafe(12) + PurePath(name).suffix.lower()[:8])
        path.write_bytes(data)
        try:
            content = read(path)
        except BaseException:
            path.unlink()
            raise
        upload = Upload(path.stem, name, path, content, current_user())
        with self._lock:
            self._items[upload.id] = upload
            dropped = [self._items.popitem(last=False)[1] for _ in range(len(self._items) - self._kept)]
        for old in dropped:
            old.path.unlink(missing_ok=True)
        return upload

    def get(self, upload: str) -> Upload[Read]:
        """Return an upload.

        Raises
        ------
        NotFoundError
            Where it is unknown, was dropped, or is another user's.
        """
        with self._lock:
            item = self._items.get(upload)
            if item is not None and item.owner != current_user():
                item = None
            if item is not None:
                self._items.move_to_end(upload)
        if item is None:
            raise NotFoundError(
                "the uploaded image is no longer kept", where=f"upload {upload}", remedy="Open the file again"
            )
        return item

    def close(self) -> None:
        """Delete every upload."""
        with self._lock:
            self._items.clear()
            folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _room(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="edge-retrieve-"))
            return self._folder
