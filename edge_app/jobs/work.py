"""What jobs do."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from edge_retrieve.edge_app.copies import copy_archive
from edge_retrieve.edge_app.jobs.runner import Progress, Result, Work
from edge_retrieve.edge_app.labels import label_after_ingest
from edge_retrieve.edge_app.privacy import prepare_ingest
from edge_retrieve.edge_app.reading import ReadImage
from edge_retrieve.edge_app.uploads import Upload
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.erasure import rebuild
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.ingest import Outcome, ingest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Folders:
    """Where jobs may read and write, as the operator allowed.

    Parameters
    ----------
    ingest : tuple of Path
        Files are read below these alone.
    backup : Path or None
        Backups are written into this one.
    """

    ingest: tuple[Path, ...]
    backup: Path | None


def ingest_upload(
    workspace: Workspace, upload: Upload[ReadImage], report: str
) -> tuple[Work, Callable[[], None]]:
    """Return the work that stores an upload, with its report where there is one, and what undoes its begin.

    Raises
    ------
    QueryError
        Where the upload was dropped meanwhile.
    """
    # The upload may be dropped before the job's turn comes.
    folder = Path(tempfile.mkdtemp(prefix="edge-retrieve-job-"))
    path = folder / f"upload{upload.path.suffix}"
    try:
        shutil.copyfile(upload.path, path)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise QueryError(
            "the uploaded image is no longer kept", where="upload", remedy="Open the file again"
        ) from error
    if report.strip():
        path.with_suffix(".txt").write_text(report, encoding="utf-8")

    def work(progress: Progress) -> Result:
        try:
            # One more image is searched beside the index's files; the retriever writes them anew in time.
            return _ingest(workspace, [path], progress, one_upload=True)
        finally:
            discard()

    def discard() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    return work, discard


def ingest_path(workspace: Workspace, path: str, folders: Folders) -> Work:
    """Return the work that stores a file or a folder.

    Raises
    ------
    QueryError
        Where it is not below a folder that the operator allowed.
    """
    allowed = [folder.resolve() for folder in folders.ingest]
    try:
        # Links are followed first: one may lead out of the folder.
        wanted = Path(path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        wanted = None
    # What is not allowed is not told apart from what does not exist.
    if wanted is None or not any(wanted.is_relative_to(folder) for folder in allowed):
        raise QueryError(
            "there is no such file or folder that may be read",
            where="path",
            remedy="Name one below a folder of the server's --ingest-folders",
        )
    return lambda progress: _ingest(workspace, [wanted], progress)


def rebuild_store(workspace: Workspace) -> Work:
    """Return the work that writes the index anew, and erases what was deleted."""

    def work(progress: Progress) -> Result:
        erased = rebuild(workspace.store, Index(workspace.store), progress)
        return {"erased": "yes" if erased else "not yet: a reader was in the way"}

    return work


def back_up(workspace: Workspace, name: str, folders: Folders) -> Work:
    """Return the work that copies the store.

    Raises
    ------
    QueryError
        Where the operator allowed no folder, or the name is none.
    """
    if folders.backup is None:
        raise QueryError(
            "this server writes no backups", where="kind", remedy="Start it with --backup-folder"
        )
    name = name or datetime.now(timezone.utc).strftime("backup-%Y%m%dT%H%M%SZ")
    if not _NAME.fullmatch(name):
        raise QueryError(
            "this is no name for a backup", where="name", remedy="Use letters, digits, dots and dashes"
        )
    destination = folders.backup / name

    def work(progress: Progress) -> Result:
        done = copy_archive(workspace.store.path, destination, lambda now, all_: progress(now, all_, "copy"))
        return {"name": name, "studies": done.studies, "bytes": done.bytes, "sha256": done.sha256}

    return work


def _ingest(
    workspace: Workspace, paths: list[Path], progress: Progress, *, one_upload: bool = False
) -> Result:
    was_empty = workspace.store.count() == 0

    def told(done: int, total: int, name: str) -> None:
        # File names may hold identifiers, and jobs are seen by whoever sees the list.
        progress(done, total, "files" if name else "")

    deidentifier = prepare_ingest(workspace.store, workspace.site, paths)
    summary = ingest(
        workspace.store,
        workspace.encoder,
        paths,
        progress=told,
        refresh_index=not one_upload,
        deidentifier=deidentifier,
        # An upload's path is made up for it.
        remember=not one_upload,
    )
    label_after_ingest(workspace.store.path, paths, was_empty=was_empty)
    found: Result = {
        "accepted": summary.accepted,
        "flagged": summary.flagged,
        "rejected": summary.rejected,
        "unchanged": summary.unchanged,
    }
    rejected = [file for file in summary.files if file.outcome is Outcome.REJECTED]
    if rejected:
        # Without the path, which may hold an identifier.
        found["reason"] = rejected[0].reason.replace(f"{rejected[0].path}: ", "")
    return found
