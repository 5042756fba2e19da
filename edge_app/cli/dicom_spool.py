"""``edge-retrieve dicom status`` and ``quarantine``: what was received, and what of it cannot be stored."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.options import json_option, setting_options, store_option
from edge_retrieve.edge_app.dicom_node.quarantine import QuarantineEntry, discard, quarantined, release
from edge_retrieve.edge_app.dicom_node.spool import SPOOL_FOLDER, Spool
from edge_retrieve.edge_app.dicom_node.status import SpoolStatus, spool_status
from edge_retrieve.runtime.store import schema_version


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


@click.command()
@click.option(
    "--release", "released", metavar="ID", multiple=True, help="Try this object again; may be repeated."
)
@click.option("--release-all", is_flag=True, help="Try all of them again.")
@click.option(
    "--discard", "discarded", metavar="ID", multiple=True, help="Delete this object; may be repeated."
)
@store_option
@setting_options("dicom_folder")
@json_option
def quarantine(
    released: tuple[str, ...],
    release_all: bool,
    discarded: tuple[str, ...],
    store_path: Path,
    dicom_folder: str,
    as_json: bool,
) -> None:
    """List the objects that could not be stored, each with its reason; try them again, or delete them."""
    spool = existing_spool(store_path, dicom_folder)
    entries: tuple[QuarantineEntry, ...] = ()
    if spool is not None:
        for entry in [each.id for each in quarantined(spool)] if release_all else released:
            release(spool, entry)
        for entry in discarded:
            discard(spool, entry)
        entries = quarantined(spool)
    if as_json:
        print_json({"objects": [asdict(entry) for entry in entries]})
        return
    for held in entries:
        sender = f", from {held.sender}" if held.sender else ""
        answers().print(
            f"{held.id} ({held.arrived}{sender}): {held.fault.value}: {held.reason}", soft_wrap=True
        )
    answers().print(f"{len(entries)} objects in quarantine.", soft_wrap=True)


def existing_spool(store_path: Path, folder: str) -> Spool | None:
    """Return the received objects of a store, None where nothing was ever received.

    Raises
    ------
    StoreError
        Where there is no store.
    """
    schema_version(store_path)  # says so where there is none, and leaves an older one as it is
    path = Path(folder) if folder else store_path / SPOOL_FOLDER
    return Spool(path) if path.is_dir() else None
