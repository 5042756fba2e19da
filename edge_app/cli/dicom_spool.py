"""``edge-retrieve dicom status`` and ``quarantine``: what was received, and what of it cannot be stored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.commands import audited
from edge_retrieve.edge_app.audit.events import Action
from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.options import (
    json_option,
    maybe_store_option,
    server_option,
    setting_options,
    store_option,
    token_option,
)
from edge_retrieve.edge_app.cli.remote import open_client, require_one
from edge_retrieve.edge_app.client import Client
from edge_retrieve.edge_app.dicom_node.quarantine import discard, quarantined, quarantined_shape, release
from edge_retrieve.edge_app.dicom_node.spool import SPOOL_FOLDER, Spool
from edge_retrieve.edge_app.dicom_node.status import SpoolStatus, spool_status
from edge_retrieve.edge_app.shapes.quarantine import QuarantinedShape
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.store import schema_version

_PAGE = 500  # objects that a server is asked for at once


@click.command()
@store_option
@setting_options("dicom_folder")
@json_option
def status(store_path: Path, dicom_folder: str, as_json: bool) -> None:
    """Count the received objects that wait, and those in quarantine."""
    spool = existing_spool(store_path, dicom_folder)
    found = spool_status(spool) if spool is not None else SpoolStatus(0, 0.0, 0, 0, 0)
    if as_json:
        print_json(asdict(found))
        return
    console = answers()
    for name, value in asdict(found).items():
        console.print(f"{name.replace('_', ' ')}: {value:.0f}", soft_wrap=True)


@dataclass(frozen=True)
class _Wanted:
    """What is to be done with objects in quarantine."""

    released: tuple[str, ...]
    release_all: bool
    discarded: tuple[str, ...]


@click.command()
@click.option(
    "--release", "released", metavar="ID", multiple=True, help="Try this object again; may be repeated."
)
@click.option("--release-all", is_flag=True, help="Try all of them again.")
@click.option(
    "--discard", "discarded", metavar="ID", multiple=True, help="Delete this object; may be repeated."
)
@maybe_store_option
@server_option
@token_option
@setting_options("dicom_folder", "site")
@json_option
def quarantine(
    released: tuple[str, ...],
    release_all: bool,
    discarded: tuple[str, ...],
    store_path: Path | None,
    server: str | None,
    token_file: Path | None,
    dicom_folder: str,
    site: str,
    as_json: bool,
) -> None:
    """List the objects that could not be stored, each with its reason; try them again, or delete them."""
    require_one(store_path, server, token_file)
    wanted = _Wanted(released, release_all, discarded)
    if server is not None:
        with open_client(server, token_file) as client:
            found = _of_server(client, wanted)
    else:
        assert store_path is not None
        found = _of_store(store_path, dicom_folder, site, wanted)
    if as_json:
        print_json({"objects": [_line(each) for each in found]})
        return
    for held in found:
        sender = f", from {held.sender}" if held.sender else ""
        answers().print(
            f"{held.object} ({held.arrived}{sender}): {held.fault}: {held.reason}", soft_wrap=True
        )
    answers().print(f"{len(found)} objects in quarantine.", soft_wrap=True)


def _line(held: QuarantinedShape) -> dict[str, Any]:
    fields = asdict(held)
    return {"id": fields.pop("object"), **fields}


def _of_server(client: Client, wanted: _Wanted) -> list[QuarantinedShape]:
    if wanted.release_all:
        client.quarantine.retry_all()
    else:
        for entry in wanted.released:
            client.quarantine.retry(entry)
    for entry in wanted.discarded:
        client.quarantine.discard(entry)
    found: list[QuarantinedShape] = []
    while True:
        page = client.quarantine.page(limit=_PAGE, offset=len(found))
        found += page.objects
        if not page.objects or len(found) >= page.total:
            return found


def _of_store(store_path: Path, dicom_folder: str, site: str, wanted: _Wanted) -> list[QuarantinedShape]:
    spool = existing_spool(store_path, dicom_folder)
    if spool is None:
        return []
    own = Site.of(store_path, site)
    for entry in [each.id for each in quarantined(spool)] if wanted.release_all else wanted.released:
        with audited(own, Action.MAINTAIN, detail=f"quarantine: object {entry} tried again"):
            release(spool, entry)
    for entry in wanted.discarded:
        with audited(own, Action.DELETE, detail=f"quarantine: object {entry}", required=True):
            discard(spool, entry)
    return [quarantined_shape(each) for each in quarantined(spool)]


def existing_spool(store_path: Path, folder: str) -> Spool | None:
    """Return the received objects of a store, None where nothing was ever received.

    Raises
    ------
    StoreError
        Where there is no store.
    ConfigError
        Where the folder named is a file.
    """
    schema_version(store_path)  # says so where there is none, and leaves an older one as it is
    path = Path(folder) if folder else store_path / SPOOL_FOLDER
    if path.exists() and not path.is_dir():
        raise ConfigError(
            "received objects are kept in a folder, and this is a file",
            where=f"--dicom-folder {path}",
            remedy="Name the folder that the server was started with",
        )
    return Spool(path) if path.is_dir() else None
