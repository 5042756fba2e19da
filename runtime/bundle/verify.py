"""Is a bundle whole? Its files against its manifest, in constant memory."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from edge_retrieve.runtime.bundle.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, Graph, Manifest
from edge_retrieve.runtime.bundle.parsing import REMEDY
from edge_retrieve.runtime.errors import BundleError

# Far more than three graphs in every form with engines for several GPUs; a bomb stops here.
MAX_FILES = 512
MAX_BYTES = 32 << 30
BLOCK = 1 << 20


def read_manifest_file(folder: Path) -> bytes:
    """Return the content of a folder's manifest.

    Raises
    ------
    BundleError
        Where there is none, or it is no plain file.
    """
    path = folder / MANIFEST_NAME
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise BundleError("the manifest is not a plain file", where=str(path), remedy=REMEDY)
        with path.open("rb") as stream:
            return stream.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise BundleError(
            f"the manifest cannot be read ({error.strerror})", where=str(path), remedy=REMEDY
        ) from error


def hash_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder but its manifest, by relative POSIX name.

    Raises
    ------
    BundleError
        Where something in it is neither a file nor a folder, there is too much, or a file does not read.
    """
    return {name: _sha256(folder / name) for name in _listing(folder)}


def check_folder(folder: Path, manifest: Manifest) -> None:
    """Raise `BundleError` where a folder holds anything but what its manifest says."""
    check_names(_listing(folder), manifest, str(folder))
    for name, expected in manifest.files.items():
        if _sha256(folder / name) != expected:
            raise BundleError(
                "the file's SHA-256 is not the one in the manifest", where=str(folder / name), remedy=REMEDY
            )


def check_names(present: Iterable[str], manifest: Manifest, where: str) -> None:
    """Raise `BundleError` where a file is missing or one too many.

    Parameters
    ----------
    present : iterable of str
        Names of all files but the manifest.
    manifest : Manifest
    where : str
        The folder or archive.
    """
    found = set(present)
    for name in sorted(manifest.files.keys() - found):
        raise BundleError("the file is missing", where=f"{where}/{name}", remedy=REMEDY)
    for name in sorted(found - manifest.files.keys()):
        raise BundleError(
            "the manifest does not list this file", where=f"{where}/{name}", remedy="Remove it, or re-export"
        )


def check_consistency(manifest: Manifest, where: str) -> None:
    """Raise `BundleError` where a manifest names a file it lacks, one form twice, or a curve that is none."""

    def listed(file: str, role: str) -> None:
        if file not in manifest.files:
            raise BundleError(f"the {role} '{file}' is not in the bundle", where=where, remedy=REMEDY)

    listed(manifest.tokenizer, "tokenizer")
    for graph in Graph:
        listed(getattr(manifest, graph.value), graph.value.replace("_", " "))
    fusion = manifest.fusion
    for weights in () if fusion is None else (fusion.conditioned, fusion.unconditioned):
        four = astuple(weights)
        if min(four) < 0 or not sum(four[:2]) or not sum(four[2:]):
            raise BundleError(
                f"the fusion weights {', '.join(f'{weight:g}' for weight in four)} make no mean",
                where=where,
                remedy=REMEDY,
            )
    for engine in manifest.engines:
        listed(engine.file, "engine")
    seen = set()
    for form in manifest.forms:
        listed(form.file, "graph")
        key = (form.graph, form.precision, form.roi_align)
        if key in seen:
            raise BundleError(
                f"two forms are of {form.graph.value} in {form.precision.value}",
                where=where,
                remedy="Export the bundle again",
            )
        seen.add(key)
    if manifest.score_calibration is not None:
        for problem in manifest.score_calibration.problems():
            raise BundleError(problem, where=where, remedy="Calibrate the bundle again")


def _listing(folder: Path) -> list[str]:
    """Return every file below a folder but its manifest, as relative POSIX names."""
    names, total = [], 0
    try:
        for item in folder.rglob("*"):
            status = item.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue
            if stat.S_ISLNK(status.st_mode):
                raise BundleError(
                    "a bundle holds no links", where=str(item), remedy="Put the file itself in its place"
                )
            if not stat.S_ISREG(status.st_mode):
                raise BundleError("a bundle holds plain files only", where=str(item), remedy="Remove it")
            names.append(item.relative_to(folder).as_posix())
            total += status.st_size
            check_amount(len(names), total, str(folder))
    except OSError as error:
        raise BundleError(
            f"the folder cannot be read ({error.strerror})", where=str(folder), remedy=REMEDY
        ) from error
    return sorted(name for name in names if name != MANIFEST_NAME)


def check_amount(files: int, size: int, where: str) -> None:
    """Raise `BundleError` where this is more than any bundle holds.

    Parameters
    ----------
    files : int
    size : int
        Of all of them, bytes.
    where : str
    """
    if files > MAX_FILES:
        raise BundleError(f"a bundle holds at most {MAX_FILES} files", where=where, remedy=REMEDY)
    if size > MAX_BYTES:
        raise BundleError(f"a bundle holds at most {MAX_BYTES >> 30} GiB", where=where, remedy=REMEDY)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise BundleError(
            f"the file cannot be read ({error.strerror})", where=str(path), remedy=REMEDY
        ) from error
    return digest.hexdigest()
