"""From a received file, through the gate, to the file that a study is stored with."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom import uid
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag

from edge_retrieve.edge_app.dicom_node.gate import Gate, StudyReport
from edge_retrieve.edge_app.dicom_node.spool import Spool, SpoolEntry, flush_folder, write_durably
from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.quiet import captured_warnings


@dataclass(frozen=True)
class KeptFile:
    """A file among the store's objects.

    Parameters
    ----------
    path : Path
        Named by the SHA-256 of what it holds: the same object received twice is one file.
    fresh : bool
        Whether it was not there before.
    """

    path: Path
    fresh: bool

    @property
    def report(self) -> Path:
        """Where the report that came with it lies until it is stored."""
        return self.path.with_suffix(".txt")

    def forget(self) -> None:
        """Delete what was brought here for nothing."""
        if self.fresh:
            self.path.unlink(missing_ok=True)
        self.report.unlink(missing_ok=True)


def keep(spool: Spool, entry: SpoolEntry, gate: Gate) -> KeptFile:
    """Put what the gate lets pass of an object among the store's objects; on return it is on disk.

    Raises
    ------
    RefusedError
        Where the gate lets it not pass.
    OSError
        Where it cannot be written.
    """
    partial = spool.objects / f".{entry.id}{entry.path.suffix}.part"
    partial.unlink(missing_ok=True)
    text = entry.report.read_text(encoding="utf-8") if entry.report.exists() else ""
    if text:
        text = gate.report(StudyReport("", text)).text
    try:
        gate.image(entry.path, partial)
        digest = _flushed_digest(partial)
        path = spool.objects / digest[:2] / f"{digest}{entry.path.suffix}"
        fresh = not path.exists()
        if fresh:
            path.parent.mkdir(exist_ok=True, mode=0o700)
            partial.rename(path)
            flush_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)
    kept = KeptFile(path, fresh)
    if text:
        write_durably(kept.report, [text.encode()])
    return kept


def _flushed_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def file_meta(stream: BinaryIO) -> Header:
    """Return a DICOM file's meta information (PS3.10, 7.1); an empty header where it has none.

    Nothing behind it is read: a deflated data set may be a bomb.
    """
    with captured_warnings():
        try:
            read_preamble(stream, False)
            return Header(read_dataset(stream, False, True, stop_when=_behind_meta))
        except Exception:
            # Not DICOM, or damaged; loading it says so.
            return Header(pydicom.Dataset())


def _behind_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return bool(tag.group != 2)


def sop_class_and_sender(path: Path) -> tuple[str, str]:
    """Return the SOP class and the sender's AE title of a file; empty where it does not say."""
    with path.open("rb") as stream:
        meta = file_meta(stream)
    return meta.text("MediaStorageSOPClassUID"), meta.text("SourceApplicationEntityTitle")


def named_study(path: Path) -> str:
    """Return the study that a received file names; empty where it names none or must not be looked into."""
    with path.open("rb") as stream:
        syntax = file_meta(stream).text("TransferSyntaxUID")
    # A deflated data set may be a bomb.
    return "" if syntax == uid.DeflatedExplicitVRLittleEndian else study_of(path)


def study_of(file: Path | BinaryIO) -> str:
    """Return the study of a file; empty for one that is not DICOM.

    Not for a deflated data set that nothing has looked at: it may be a bomb.
    """
    with captured_warnings():
        try:
            return Header(
                pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
            ).text("StudyInstanceUID")
        except Exception:
            # A picture in another format.
            return ""
