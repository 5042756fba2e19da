"""Engines on disk: each with a file beside it that says what it is of and where it runs.

They lie outside the bundle, in a folder named by its identifier: an engine fits one kind of card and one
version of a library, and building one must not change what the bundle's signature and identifier are of. A
bundle may carry engines besides (`Manifest.engines`); they are found too.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_retrieve.runtime.backends.gpu import Gpu
from edge_retrieve.runtime.bundle import Bundle, Engine, Graph
from edge_retrieve.runtime.bundle.archive import default_cache
from edge_retrieve.runtime.bundle.parsing import object_json, parse_object
from edge_retrieve.runtime.bundle.patterns import Digest
from edge_retrieve.runtime.errors import BackendError, BundleError

SUFFIX = ".engine"
SIDECAR_SUFFIX = ".engine.json"
_WARM_UP = "Build the engines with: edge-retrieve warmup"
# TensorRT's levels of hardware compatibility.
SAME_GPU, SAME_CAPABILITY, AMPERE_PLUS = "none", "same_compute_capability", "ampere_plus"
_AMPERE = (8, 0)


@dataclass(frozen=True)
class EngineRecord:
    """What the file beside an engine says.

    Parameters
    ----------
    bundle_id : str
        Identifier of the bundle whose graph it computes.
    engine : Engine
        As in a bundle's manifest; its file lies in the same folder.
    sha256 : str
        Of the engine's file.
    hardware_compatibility : str
        ``none`` (the cards named), ``same_compute_capability`` (any card with one of those named) or
        ``ampere_plus`` (any card from 8.0 on).
    version_compatible : bool
        Whether later releases of the library with the same major version open it.
    """

    bundle_id: Digest
    engine: Engine
    sha256: Digest
    hardware_compatibility: str = field(default=SAME_GPU, metadata={"optional": True})
    version_compatible: bool = field(default=False, metadata={"optional": True})

    def misfit(self, library_version: str, gpu: Gpu) -> str:
        """Return why the engine does not run with this library and card; empty where it does."""
        built, here = _numbers(self.engine.library_version), _numbers(library_version)
        same_major = built[:1] == here[:1]
        if built != here and not (self.version_compatible and same_major and here >= built):
            return (
                f"was built by {self.engine.library} {self.engine.library_version}, "
                f"{library_version} is installed"
            )
        if self.hardware_compatibility == AMPERE_PLUS and gpu.capability >= _AMPERE:
            return ""
        if gpu.capability_text not in self.engine.compute_capabilities:
            known = ", ".join(self.engine.compute_capabilities)
            return f"was built for compute capability {known}, {gpu.name} has {gpu.capability_text}"
        built_on = self.engine.gpu_name
        if self.hardware_compatibility == SAME_GPU and built_on and built_on != gpu.name:
            return f"was built for {built_on}, this machine has {gpu.name}"
        return ""


@dataclass(frozen=True)
class EngineFile:
    """An engine and what is known of it.

    Parameters
    ----------
    path : Path
    record : EngineRecord
    """

    path: Path
    record: EngineRecord

    def read(self) -> bytes:
        """Return the engine, verified.

        Raises
        ------
        BackendError
            The file cannot be read, or is not the one that was built.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise BackendError(
                f"the engine cannot be read ({error.strerror})", where=str(self.path), remedy=_WARM_UP
            ) from error
        if hashlib.sha256(content).hexdigest() != self.record.sha256:
            raise BackendError(
                "the engine is damaged: its SHA-256 is not the recorded one",
                where=str(self.path),
                remedy=_WARM_UP,
            )
        return content


def engines_folder(bundle: Bundle, root: Path | None = None) -> Path:
    """Return the folder of a bundle's engines: below `root`, or below the cache folder."""
    return (root or default_cache().parent / "engines") / bundle.bundle_id


def write_engine(folder: Path, content: bytes, record: EngineRecord) -> EngineFile:
    """Write an engine and its record; an earlier one of that name is replaced only by the whole.

    Parameters
    ----------
    folder : Path
        Is made where it is missing.
    content : bytes
    record : EngineRecord
        Its digest is filled in here.

    Raises
    ------
    BackendError
        The folder cannot be written.
    """
    record = replace(record, sha256=hashlib.sha256(content).hexdigest())
    path = folder / record.engine.file
    sidecar = path.with_name(path.name.removesuffix(SUFFIX) + SIDECAR_SUFFIX)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The record comes last: without one, an engine is not found.
        write_whole(path, content)
        write_whole(sidecar, object_json(record))
    except OSError as error:
        raise BackendError(
            f"the engine cannot be written ({error.strerror})",
            where=str(folder),
            remedy="Name another folder with --engines",
        ) from error
    return EngineFile(path, record)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name, flush it, and rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def read_engine(sidecar: Path) -> EngineFile:
    """Read the record of an engine.

    Raises
    ------
    BackendError
        It cannot be read, or is not a record.
    """
    try:
        record = parse_object(EngineRecord, sidecar.read_bytes(), str(sidecar), _WARM_UP)
    except OSError as error:
        raise BackendError(
            f"the record cannot be read ({error.strerror})", where=str(sidecar), remedy=_WARM_UP
        ) from error
    except BundleError as error:
        raise BackendError(error.what, where=error.where, remedy=_WARM_UP) from error
    return EngineFile(sidecar.parent / record.engine.file, record)


def find_engine(
    bundle: Bundle,
    graph: Graph,
    library: str,
    library_version: str,
    gpu: Gpu,
    root: Path | None = None,
) -> EngineFile:
    """Return the engine of a graph that runs here.

    Parameters
    ----------
    bundle : Bundle
    graph : Graph
    library : str
        ``tensorrt`` or ``tensorrt-rtx``.
    library_version : str
        The installed one.
    gpu : Gpu
    root : Path, optional
        As for `engines_folder`.

    Raises
    ------
    BackendError
        There is none, or none fits the card and the library; says why each one does not.
    """
    folder = engines_folder(bundle, root)
    reasons = []
    for found in (*_built(folder), *_carried(bundle)):
        engine = found.record.engine
        if (engine.graph, engine.library, found.record.bundle_id) != (graph, library, bundle.bundle_id):
            continue
        reason = found.record.misfit(library_version, gpu)
        if not reason:
            return found
        reasons.append(f"{found.path.name} {reason}")
    raise BackendError(
        f"no engine of the {graph.value} fits: {'; '.join(reasons)}"
        if reasons
        else f"there is no {library} engine of the {graph.value}",
        where=str(folder),
        remedy=_WARM_UP,
    )


def _built(folder: Path) -> Iterator[EngineFile]:
    for sidecar in sorted(folder.glob(f"*{SIDECAR_SUFFIX}")):
        yield read_engine(sidecar)


def _carried(bundle: Bundle) -> Iterator[EngineFile]:
    """Yield the engines inside a bundle, whose files were verified with it."""
    for engine in bundle.manifest.engines:
        record = EngineRecord(bundle.bundle_id, engine, bundle.manifest.files[engine.file])
        yield EngineFile(bundle.file(engine.file), record)


def _numbers(version: str) -> tuple[int, ...]:
    """Return major, minor and patch; builds of one patch level open each other's engines."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
