"""All checks, in the order in which one explains the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.doctor import access, archive, machine, model
from edge_retrieve.edge_app.doctor.check import Check, State, failed_by
from edge_retrieve.edge_app.doctor.ports import dicom_port, port
from edge_retrieve.edge_app.doctor.reception import Pacs, association, received
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import PrecisionChoice, read_trust
from edge_retrieve.runtime.errors import EdgeRetrieveError


@dataclass(frozen=True)
class Subject:
    """What is examined.

    Parameters
    ----------
    store : Path, optional
        Folder of the store; the current folder's disk is looked at where None.
    bundle : Path, optional
        The shipped one where None.
    settings : ServerSettings
        Of the server that is to run here.
    systems : tuple of Pacs
        DICOM systems to call.
    """

    store: Path | None = None
    bundle: Path | None = None
    settings: ServerSettings = field(default_factory=ServerSettings)
    systems: tuple[Pacs, ...] = ()


def examine(subject: Subject) -> Iterator[Check]:
    """Yield what each check found, as soon as it is done."""
    settings = subject.settings
    yield machine.installation()
    try:
        checked, bundle = model.bundle(
            subject.bundle, read_trust(settings.trusted_keys, settings.allow_unsigned)
        )
    except EdgeRetrieveError as error:  # the keys
        checked, bundle = failed_by("bundle", error), None
    yield checked
    if bundle is not None:
        yield model.engine(
            bundle,
            Backend(settings.backend),
            PrecisionChoice(settings.precision),
            require_gpu=settings.require_gpu,
            engines=Path(settings.engines) if settings.engines else None,
        )
    yield machine.gpu(settings.require_gpu)
    facts = archive.ArchiveFacts()
    if subject.store is not None:
        found, facts = archive.archive(subject.store, bundle)
        yield from found
        site = Site.of(subject.store, settings.site)
        if all(check.state is not State.FAILED for check in found):
            yield access.privacy(subject.store, site)
        yield access.login(site, settings)
        yield from access.audit(site)
    yield from access.certificates(settings)
    folder = subject.store if subject.store is not None and subject.store.is_dir() else Path()
    yield machine.disk(folder, facts.studies, facts.bytes)
    yield machine.memory()
    yield machine.clock(facts.newest_study, facts.last_write)
    if settings.port:
        yield port(settings.host, settings.port, settings.root_path, tls=bool(settings.tls_cert))
    if settings.dicom_port:
        yield dicom_port(settings.dicom_host, settings.dicom_port, settings.port)
    if subject.store is not None:
        yield from received(subject.store, settings)
    for system in subject.systems:
        yield association(system, settings)
