"""Deleting studies so that nothing of them is left: no vector, no pixel, no word.

`Store.delete` takes effect at once: no query finds the study any more. Its traces leave the files when the
index files, the index of words and the database are written anew, which is what `rebuild` does.
"""

from __future__ import annotations

from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.index.index import Progress
from edge_retrieve.runtime.store import Store


def rebuild(store: Store, index: Index, progress: Progress | None = None) -> bool:
    """Write anew all that is made from the store's rows; where studies were deleted, the database too.

    Parameters
    ----------
    store : Store
    index : Index
        Of that store.
    progress : callable, optional
        As of `Index.rebuild`.

    Returns
    -------
    bool
        Whether every trace of deleted studies is gone; False where a reader kept an old view of the database
        for too long.

    Raises
    ------
    StoreError
        Where another process writes, or the disk is full or read-only.
    """
    # Read first: what is deleted meanwhile is left for the next time.
    tombstone = store.watermark(Modality.IMAGE).tombstones
    index.rebuild(progress)
    if not store.stats().unerased:
        store.rebuild_words()
        return True
    index.sweep()
    return store.erase(tombstone)
