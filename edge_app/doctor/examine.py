"""All checks, in the order in which one explains the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge_retrieve.edge_app.doctor import archive, machine, model
from edge_retrieve.edge_app.doctor.check import Check
from edge_retrieve.edge_app.doctor.ports import port
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import PrecisionChoice, Trust


@dataclass(frozen=True)
class Subject:
    """What is examined.

    Parameters
    ----------
    store : Path, optional
        Folder of the store; the current folder's disk is looked at where None.
    bundle : Path, optional
        The shipped one where None.
    trust : Trust
    backend : Backend
    precision : PrecisionChoice
    require_gpu : bool
    engines : Path, optional
    host : str
        Address to listen on.
    ports : tuple of int
        TCP ports to listen on.
    root_path : str
    """

    store: Path | None = None
    bundle: Path | None = None
    trust: Trust = field(default_factory=Trust)
    backend: Backend = Backend.AUTO
    precision: PrecisionChoice = PrecisionChoice.AUTO
    require_gpu: bool = False
    engines: Path | None = None
    host: str = "127.0.0.1"
    ports: tuple[int, ...] = (8080,)
    root_path: str = ""


def examine(subject: Subject) -> Iterator[Check]:
    """Yield what each check found, as soon as it is done."""
    yield machine.installation()
    checked, bundle = model.bundle(subject.bundle, subject.trust)
    yield checked
    if bundle is not None:
        yield model.engine(
            bundle,
            subject.backend,
            subject.precision,
            require_gpu=subject.require_gpu,
            engines=subject.engines,
        )
    yield machine.gpu(subject.require_gpu)
    facts = archive.ArchiveFacts()
    if subject.store is not None:
        found, facts = archive.archive(subject.store, bundle)
        yield from found
    folder = subject.store if subject.store is not None and subject.store.is_dir() else Path()
    yield machine.disk(folder, facts.studies, facts.bytes)
    yield machine.memory()
    yield machine.clock(facts.newest_study, facts.last_write)
    for number in subject.ports:
        if number:
            yield port(subject.host, number, subject.root_path)
