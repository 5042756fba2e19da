"""Pictures of stored studies in smaller sizes, each made once."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image

from edge_retrieve.runtime.store import Store

_REMEMBERED = 2048  # about 10 kB each


class Thumbnails:
    """Reduced pictures of a store's studies, the latest remembered.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # A stored picture never changes.
        self._of = lru_cache(_REMEMBERED)(self._reduce)

    def of(self, study: str, side: int) -> bytes:
        """Return a study's picture as PNG, its longer side at most so many pixels.

        Raises
        ------
        UnknownStudyError
            Where the store has no such study.
        """
        return self._of(study, side)

    def _reduce(self, study: str, side: int) -> bytes:
        with Image.open(io.BytesIO(self._store.preview(study))) as picture:
            picture.thumbnail((side, side))
            stream = io.BytesIO()
            picture.save(stream, format="PNG")
        return stream.getvalue()
