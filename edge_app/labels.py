"""What is written on an archive: its name, and whether it is synthetic."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_retrieve.runtime.errors import StoreError, reason_of

LABEL_NAME = "archive.json"
PHANTOM_MARK = "truth.jsonl"  # lies in every folder that `edge-retrieve phantom` wrote


@dataclass(frozen=True)
class ArchiveLabel:
    """What is written on an archive.

    Parameters
    ----------
    name : str
        Shown to users.
    synthetic : bool
        Whether it holds phantoms rather than patients.
    """

    name: str
    synthetic: bool


def write_label(store_path: Path, label: ArchiveLabel) -> None:
    """Write an archive's label into its store's folder.

    Raises
    ------
    StoreError
        Where it cannot be written; the old one is kept.
    """
    path = store_path / LABEL_NAME
    temporary = path.with_name(f".{LABEL_NAME}.{os.getpid()}.tmp")
    try:
        try:
            temporary.write_text(json.dumps(asdict(label), indent=2) + "\n", encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"the archive's label cannot be written ({reason_of(error)})",
            where=str(path),
            remedy="Check the disk's space and the folder's permissions",
        ) from error


def read_label(store_path: Path) -> ArchiveLabel:
    """Return an archive's label; one named after its folder where none was written.

    Raises
    ------
    StoreError
        Where there is a label that cannot be understood: whether an archive is synthetic is not
        to be guessed.
    """
    path = store_path / LABEL_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return ArchiveLabel(name=str(document["name"]), synthetic=bool(document["synthetic"]))
    except FileNotFoundError:
        return ArchiveLabel(name=store_path.resolve().name, synthetic=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"the archive's label cannot be read ({reason_of(error)})",
            where=str(path),
            remedy='Write it as {"name": "…", "synthetic": false}, or delete it',
        ) from error


def holds_phantoms(source: Path) -> bool:
    """Return whether a file or folder is of a folder that `edge-retrieve phantom` wrote."""
    path = source.resolve()
    return any((folder / PHANTOM_MARK).is_file() for folder in (path, *path.parents))


def label_after_ingest(store_path: Path, sources: Sequence[Path], *, was_empty: bool) -> None:
    """Keep the label true after images were added.

    A store filled from phantom archives alone is synthetic; one image from elsewhere and it is not.

    Parameters
    ----------
    store_path : Path
    sources : sequence of Path
        What was ingested.
    was_empty : bool
        Whether the store held nothing before.
    """
    label = read_label(store_path)
    phantoms = all(holds_phantoms(source) for source in sources)
    synthetic = phantoms and (was_empty or label.synthetic)
    if synthetic != label.synthetic:
        write_label(store_path, ArchiveLabel(label.name, synthetic))
