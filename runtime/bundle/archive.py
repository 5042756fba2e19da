"""A bundle as one file: packed into a tar, the same bytes every time, and unpacked into a private folder."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from edge_retrieve.runtime.bundle.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest
from edge_retrieve.runtime.bundle.parsing import REMEDY
from edge_retrieve.runtime.bundle.signature import Identity, Trust, identify
from edge_retrieve.runtime.bundle.ustar import Member, read_members
from edge_retrieve.runtime.bundle.verify import BLOCK, check_folder, check_names, read_manifest_file
from edge_retrieve.runtime.errors import BundleError, reason_of


def default_cache() -> Path:
    """Return the folder that archives are unpacked to (XDG Base Directory Specification 0.8)."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(named) if Path(named).is_absolute() else Path("~/.cache").expanduser()
    return base / "edge-retrieve" / "bundles"


def write_archive(folder: Path, out: Path, manifest: Manifest, raw: bytes) -> None:
    """Write a verified folder as a tar.

    The manifest comes first, then the files by name; owner, time and mode are the same everywhere, so equal
    bundles give equal bytes.

    Parameters
    ----------
    folder : Path
    out : Path
        Must not exist.
    manifest : Manifest
    raw : bytes
        The manifest file to put in, which may bear another signature than the folder's.

    Raises
    ------
    BundleError
        Where `out` exists or lies in the folder, a file changes meanwhile, or cannot be written.
    """
    if out.exists():
        raise BundleError("the file exists", where=str(out), remedy="Give another --out, or remove it")
    if out.resolve().is_relative_to(folder.resolve()):
        raise BundleError("the archive would become part of the bundle", where=str(out), remedy="Give --out")
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with temporary.open("xb") as stream:
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                tar.addfile(_entry(MANIFEST_NAME, len(raw)), io.BytesIO(raw))
                for name in sorted(manifest.files):
                    _add(tar, folder / name, name, manifest.files[name])
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(out)
    except (OSError, ValueError) as error:
        # ValueError: a name or a size that a plain tar has no room for.
        raise BundleError(
            f"the archive cannot be written ({reason_of(error)})",
            where=str(out),
            remedy="Give another --out",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


class _HashingReader(io.RawIOBase):
    """Passes a stream on and hashes what went through."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.digest.update(block)
        return block


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o644
    return entry  # owner 0, no owner's name and time 0 are TarInfo's own defaults


def _add(tar: tarfile.TarFile, path: Path, name: str, expected: str) -> None:
    with path.open("rb") as stream:
        reader = _HashingReader(stream)
        tar.addfile(_entry(name, os.fstat(stream.fileno()).st_size), reader)
    if reader.digest.hexdigest() != expected:
        raise BundleError("the file changed while it was packed", where=str(path), remedy="Try again")


def unpack_archive(path: Path, trust: Trust | None, cache: Path) -> tuple[Path, Identity]:
    """Return a folder with an archive's verified files, unpacked now or by an earlier call.

    Parameters
    ----------
    path : Path
        A tar written by `write_archive`.
    trust : Trust, optional
        Asked about the manifest before anything else of the archive is written to disk.
    cache : Path
        Holds one folder for each archive, named by its SHA-256.

    Raises
    ------
    BundleError
        Where the archive is damaged, not trusted, or cannot be unpacked.
    """
    where = str(path)
    try:
        with path.open("rb") as stream:
            members = read_members(stream, where)
            raw = _read_manifest(stream, members, where)
            identity = identify(raw, f"{where}/{MANIFEST_NAME}", trust)
            check_names((name for name in members if name != MANIFEST_NAME), identity.manifest, where)
            _make_private(cache)
            folder = cache / _sha256(stream)
            if not _is_intact(folder, identity.manifest, raw):
                _extract(stream, members, identity.manifest, folder, where)
    except OSError as error:
        raise BundleError(
            f"the archive cannot be unpacked ({reason_of(error)})",
            where=str(error.filename or path),
            remedy="Make room, or unpack it by hand (tar xf) and name the folder",
        ) from error
    return folder, identity


def _read_manifest(stream: BinaryIO, members: Mapping[str, Member], where: str) -> bytes:
    member = members.get(MANIFEST_NAME)
    if member is None:
        raise BundleError(f"the archive holds no {MANIFEST_NAME}", where=where, remedy=REMEDY)
    stream.seek(member.offset)
    return stream.read(min(member.size, MAX_MANIFEST_BYTES + 1))


def _sha256(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    stream.seek(0)
    while block := stream.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _make_private(cache: Path) -> None:
    """Make the cache; refuse one that somebody else could write to."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = cache.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise BundleError(
            "others may write to this folder, so no bundle is unpacked there",
            where=str(cache),
            remedy=f"Run: chmod 700 {cache}, as its owner; or name another by XDG_CACHE_HOME",
        )


def _is_intact(folder: Path, manifest: Manifest, raw: bytes) -> bool:
    """Return whether an earlier call left all of the archive there; remove a folder that was damaged."""
    if not folder.is_dir():
        return False
    try:
        check_folder(folder, manifest)
        if read_manifest_file(folder) == raw:
            return True
    except BundleError:
        pass  # the archive has it all
    shutil.rmtree(folder)
    return False


def _extract(
    stream: BinaryIO, members: Mapping[str, Member], manifest: Manifest, folder: Path, where: str
) -> None:
    """Unpack beside the wanted folder and rename: a run cut short leaves nothing that looks whole."""
    unfinished = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    try:
        for name, member in members.items():
            target = unfinished / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            digest = _copy(stream, member, target)
            if name != MANIFEST_NAME and digest != manifest.files[name]:
                raise BundleError(
                    "the file's SHA-256 is not the one in the manifest",
                    where=f"{where}/{name}",
                    remedy=REMEDY,
                )
        try:
            unfinished.rename(folder)
        except OSError as error:
            # Somebody unpacked the same archive meanwhile.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _copy(stream: BinaryIO, member: Member, target: Path) -> str:
    digest, left = hashlib.sha256(), member.size
    stream.seek(member.offset)
    with target.open("xb") as out:
        while left and (block := stream.read(min(left, BLOCK))):
            digest.update(block)
            out.write(block)
            left -= len(block)
    return digest.hexdigest()
