"""Bundles appear in a folder whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from edge_retrieve.runtime.bundle import Bundle, Manifest, inspect_bundle, write_bundle
from edge_retrieve.runtime.errors import ExportError


def check_unused(out: Path) -> None:
    """Raise `ExportError` where a bundle cannot be written into a folder because something is there."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError("the folder is not empty", where=str(out), remedy="Choose another or remove it")


def write_folder(out: Path, fill: Callable[[Path], Manifest]) -> Bundle:
    """Write a bundle into a folder, whole or not at all.

    Parameters
    ----------
    out : Path
    fill : callable
        Writes the files into the folder it is given and returns the manifest.

    Raises
    ------
    ExportError
        Where the folder cannot be written; what was copied by then is gone.
    """
    with tempfile.TemporaryDirectory(prefix="edge-retrieve-export-") as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        write_bundle(folder, fill(folder))
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(folder, out, dirs_exist_ok=True)
        except OSError as error:
            shutil.rmtree(out, ignore_errors=True)
            # What `copytree` raises of several files has no reason of its own.
            raise ExportError(
                f"the bundle cannot be written ({error.strerror or 'is the disk full?'})",
                where=str(out),
                remedy="Free some space, or choose another folder",
            ) from error
    return inspect_bundle(out)
