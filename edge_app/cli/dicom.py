"""``edge-retrieve dicom``: talk with a PACS, look after received objects."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.audit.events import Action
from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar, say
from edge_retrieve.edge_app.cli.dicom_options import peer_from, peer_options, search_options, web_options
from edge_retrieve.edge_app.cli.dicom_record import record_options, recorded
from edge_retrieve.edge_app.cli.dicom_spool import quarantine, status
from edge_retrieve.edge_app.cli.group import WORK_FAILED
from edge_retrieve.edge_app.cli.options import json_option, setting_options, store_option
from edge_retrieve.edge_app.dicom_node.keeping import named_study
from edge_retrieve.edge_app.dicom_node.remote import RemoteStudy, Sent, Transfer
from edge_retrieve.edge_app.dicom_node.spool import SPOOL_FOLDER, Spool
from edge_retrieve.runtime.store import schema_version


@click.group()
def dicom() -> None:
    """Talk with a PACS, and look after what was received."""


dicom.add_command(status)
dicom.add_command(quarantine)


@dicom.command()
@peer_options
@click.option(
    "--timeout", metavar="S", type=click.FloatRange(0.1, 600), default=10.0, show_default=True,
    help="Longest wait for each step, seconds.",
)  # fmt: skip
@json_option
def echo(timeout: float, as_json: bool, **peer: Any) -> None:
    """Try step by step whether another system can be talked to, and say which step fails and why.

    Exits with 1 where one does.
    """
    from edge_retrieve.edge_app.dicom_node.checking import check_association

    check = check_association(peer_from(**peer), timeout)
    if as_json:
        print_json({"ok": check.ok, "steps": [asdict(step) for step in check.steps]})
    else:
        for step in check.steps:
            mark = "ok    " if step.ok else "FAILED"
            answers().print(f"{mark} {step.step.value}: {step.what} ({step.ms:g} ms).", soft_wrap=True)
            if step.remedy:
                answers().print(f"       {step.remedy}.", soft_wrap=True)
    if not check.ok:
        sys.exit(WORK_FAILED)


@dicom.command()
@peer_options
@search_options
@record_options
@json_option
def find(
    patient: str,
    study: str,
    accession: str,
    store_path: Path | None,
    site: str,
    as_json: bool,
    **peer: Any,
) -> None:
    """List a patient's studies in a PACS, the newest first (C-FIND)."""
    from edge_retrieve.edge_app.dicom_node.scu import find_studies

    system = peer_from(**peer)
    with recorded(store_path, site, Action.SEARCH, f"C-FIND at {system.label}") as concerned:
        found = find_studies(system, patient=patient, study=study, accession=accession)
        concerned += [each.study for each in found]
    _print_studies(found, as_json)


@dicom.command("web-find")
@web_options
@search_options
@record_options
@json_option
def web_find(
    patient: str,
    study: str,
    accession: str,
    store_path: Path | None,
    site: str,
    as_json: bool,
    **peer: Any,
) -> None:
    """List a patient's studies in a PACS, the newest first (QIDO-RS)."""
    from edge_retrieve.edge_app.dicom_node.dicomweb import DicomWebPeer, find_studies

    service = DicomWebPeer(**peer)
    with recorded(store_path, site, Action.SEARCH, f"QIDO-RS at {service.label}") as concerned:
        found = find_studies(service, patient=patient, study=study, accession=accession)
        concerned += [each.study for each in found]
    _print_studies(found, as_json)


@dicom.command()
@peer_options
@search_options
@click.option(
    "--move-to",
    metavar="AET",
    default="",
    help="Have them sent to this AE title (C-MOVE) rather than over the same connection (C-GET).",
)
@store_option
@setting_options("dicom_folder", "site")
@json_option
def fetch(
    patient: str,
    study: str,
    accession: str,
    move_to: str,
    store_path: Path,
    dicom_folder: str,
    site: str,
    as_json: bool,
    **peer: Any,
) -> None:
    """Fetch a patient's X-ray studies from a PACS into a store's folder of received objects.

    A server of that store takes them in at once, or when it is started. Exits with 1 where an object failed.
    """
    from edge_retrieve.edge_app.dicom_node.scu import find_studies, get_study, move_study

    system = peer_from(**peer)
    spool = _spool(store_path, dicom_folder)
    way = f"C-MOVE to {move_to}" if move_to else "C-GET"
    transfers = []
    with (
        recorded(store_path, site, Action.INGEST, f"{way} from {system.label}") as concerned,
        progress_bar("Fetching") as progress,
    ):
        found = find_studies(system, patient=patient, study=study, accession=accession)
        wanted = [each for each in found if each.may_be_xray]
        for done, each in enumerate(wanted):
            progress(done, len(wanted))
            concerned.append(each.study)
            transfers.append(
                move_study(system, each.study, move_to) if move_to else get_study(system, each.study, spool)
            )
    _print_transfers(transfers, as_json)


@dicom.command("web-fetch")
@web_options
@search_options
@store_option
@setting_options("dicom_folder", "site")
@json_option
def web_fetch(
    patient: str,
    study: str,
    accession: str,
    store_path: Path,
    dicom_folder: str,
    site: str,
    as_json: bool,
    **peer: Any,
) -> None:
    """Fetch a patient's X-ray studies from a PACS (WADO-RS) into a store's folder of received objects."""
    from edge_retrieve.edge_app.dicom_node.dicomweb import DicomWebPeer, fetch_study, find_studies

    service = DicomWebPeer(**peer)
    spool = _spool(store_path, dicom_folder)
    transfers = []
    with (
        recorded(store_path, site, Action.INGEST, f"WADO-RS from {service.label}") as concerned,
        progress_bar("Fetching") as progress,
    ):
        found = find_studies(service, patient=patient, study=study, accession=accession)
        wanted = [each for each in found if each.may_be_xray]
        for done, each in enumerate(wanted):
            progress(done, len(wanted))
            concerned.append(each.study)
            transfers.append(fetch_study(service, each.study, spool))
    _print_transfers(transfers, as_json)


@dicom.command()
@peer_options
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False)
)
@record_options
@json_option
def send(files: tuple[Path, ...], store_path: Path | None, site: str, as_json: bool, **peer: Any) -> None:
    """Send DICOM files, such as results, to a PACS (C-STORE). Exits with 1 where one was not taken."""
    from edge_retrieve.edge_app.dicom_node.scu import send_files

    system = peer_from(**peer)
    with recorded(store_path, site, Action.EXPORT, f"C-STORE to {system.label}") as concerned:
        concerned += _studies(files)
        with progress_bar("Sending") as progress:
            sent = send_files(system, files, progress)
        _print_sent(sent, as_json)


@dicom.command("web-send")
@web_options
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False)
)
@record_options
@json_option
def web_send(
    files: tuple[Path, ...],
    store_path: Path | None,
    site: str,
    as_json: bool,
    **peer: Any,
) -> None:
    """Send DICOM files, such as results, to a PACS (STOW-RS). Exits with 1 where one was not taken."""
    from edge_retrieve.edge_app.dicom_node.dicomweb import DicomWebPeer, send_files

    service = DicomWebPeer(**peer)
    with recorded(store_path, site, Action.EXPORT, f"STOW-RS to {service.label}") as concerned:
        concerned += _studies(files)
        _print_sent(send_files(service, files), as_json)


def _studies(files: Sequence[Path]) -> list[str]:
    """Return the studies that files name; sending them tells of those that cannot be read."""
    found = []
    for file in files:
        with suppress(OSError):
            found.append(named_study(file))
    return found


def _spool(store_path: Path, folder: str) -> Spool:
    schema_version(store_path)  # says so where there is none, and leaves an older one as it is
    return Spool(Path(folder) if folder else store_path / SPOOL_FOLDER)


def _print_studies(found: Sequence[RemoteStudy], as_json: bool) -> None:
    if as_json:
        print_json({"studies": [asdict(each) for each in found]})
        return
    for each in found:
        shown = (each.date, "/".join(each.modalities), each.study, each.accession, each.description)
        answers().print("  ".join(part or "-" for part in shown), soft_wrap=True)
    say(f"{len(found)} studies.")


def _print_transfers(transfers: Sequence[Transfer], as_json: bool) -> None:
    completed, failed = sum(each.completed for each in transfers), sum(each.failed for each in transfers)
    if as_json:
        print_json({"studies": len(transfers), "completed": completed, "failed": failed})
    else:
        answers().print(f"{completed} objects of {len(transfers)} studies, {failed} failed.", soft_wrap=True)
    if failed:
        sys.exit(WORK_FAILED)


def _print_sent(sent: Sequence[Sent], as_json: bool) -> None:
    failed = [each for each in sent if not each.ok]
    if as_json:
        print_json({"sent": len(sent) - len(failed), "files": [asdict(each) for each in sent]})
    else:
        for each in failed:
            answers().print(f"failed: {each.path}: {each.what}", soft_wrap=True)
        answers().print(f"{len(sent) - len(failed)} of {len(sent)} files sent.", soft_wrap=True)
    if failed:
        sys.exit(WORK_FAILED)
