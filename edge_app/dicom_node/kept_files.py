"""The files that received images were stored with, when their studies are deleted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_retrieve.edge_app.dicom_node.spool import INCOMING, OBJECTS
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store import Store

_NAME = re.compile(r"[0-9a-f]{64}")


def kept_files(store: Store, studies: Sequence[str]) -> tuple[Path, ...]:
    """Return the files that a node keeps of studies, none of those that were ingested from elsewhere.

    Raises
    ------
    UnknownStudyError
        Where one of the studies is not there.
    """
    sources = (Path(image.source) for study in studies for image in store.study(study).images)
    return tuple(source for source in sources if _is_kept(source))


def delete_files(files: Iterable[Path]) -> None:
    """Delete files of studies that are no more.

    Raises
    ------
    StoreError
        Where one of them is there still; the others are deleted.
    """
    left = []
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            left.append((file, error.strerror))
    if left:
        raise StoreError(
            f"{len(left)} files of deleted studies are left ({left[0][1]})",
            where=str(left[0][0]),
            remedy="Delete them by hand",
        )


def _is_kept(source: Path) -> bool:
    """Whether a file lies where `keeping.keep` puts it: ``objects/ab/<sha256>.dcm`` beside ``incoming``."""
    objects = source.parent.parent
    return (
        objects.name == OBJECTS
        and (objects.parent / INCOMING).is_dir()
        and _NAME.fullmatch(source.stem) is not None
        and source.stem.startswith(source.parent.name)
    )
