"""Finding the image files below what a user names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edge_retrieve.runtime.errors import UnreadableFileError

_OnError = Callable[[Path, UnreadableFileError], None]

_SUFFIXES = {".dcm", ".dicom", ".png", ".jpg", ".jpeg"}


def find_inputs(paths: Sequence[Path], on_error: _OnError | None = None) -> Iterator[Path]:
    """Yield image files, those in folders in sorted order.

    A file that is named is yielded whatever it is called; in folders, files with an image suffix or with
    the DICOM preamble are. Hidden files and folders and DICOMDIR are left out.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders. All are checked before the first file is yielded.
    on_error : callable, optional
        Called with a folder below one of `paths` that cannot be listed, and why; the search goes on then.

    Raises
    ------
    UnreadableFileError
        One of `paths` does not exist or cannot be listed, or, without `on_error`, a folder below one.
    """
    for path in paths:
        if not path.exists():
            raise UnreadableFileError(
                "there is no such file or folder", where=str(path), remedy="Check the path"
            )
    seen: set[Path] = set()
    for path in paths:
        for found in _walk(path, on_error) if path.is_dir() else (path,):
            resolved = found.resolve()
            if resolved not in seen:
                seen.add(resolved)
                yield found


def _walk(folder: Path, on_error: _OnError | None) -> Iterator[Path]:
    """Yield the image files of a folder and its subfolders; one that cannot be listed is an error."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UnreadableFileError(
            f"the folder cannot be listed ({error.strerror})",
            where=str(folder),
            remedy="Check its permissions",
        ) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if entry.is_symlink():  # a link back up would never end
                continue
            try:
                yield from _walk(entry, on_error)
            except UnreadableFileError as error:
                if on_error is None:
                    raise
                on_error(entry, error)
        elif entry.is_file() and _is_image(entry):
            yield entry


def _is_image(path: Path) -> bool:
    if path.name.upper() == "DICOMDIR":
        return False
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        # It is offered all the same: loading it says what is wrong.
        return True
