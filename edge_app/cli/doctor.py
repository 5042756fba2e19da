"""``edge-retrieve doctor``: is everything here, and what to do where it is not."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.group import WORK_FAILED
from edge_retrieve.edge_app.cli.options import MODEL_SETTINGS, bundle_option, json_option, setting_options
from edge_retrieve.edge_app.doctor.check import Check, State
from edge_retrieve.edge_app.doctor.reception import Pacs
from edge_retrieve.edge_app.settings import ServerSettings, Value

_COLOURS = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red"}


@click.command()
@click.option(
    "--store",
    "store_path",
    metavar="D",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the case store; without it the machine and the model alone are looked at.",
)
@bundle_option
@setting_options(
    *("host", "port", "root_path", "site", "no_login", "tls_cert", "tls_key", "tls_proxy"),
    *("dicom_port", "dicom_host", "ae_title", "dicom_callers", "dicom_folder"),
    *("pacs_tls", "pacs_tls_certificate", "pacs_tls_key", "pacs_tls_authorities"),
    *MODEL_SETTINGS,
)
@click.option(
    "--pacs",
    "systems",
    metavar="AET@HOST:PORT",
    multiple=True,
    help="A DICOM system to call, step by step; may be repeated, or several with commas between.",
)
@json_option
def doctor(
    store_path: Path | None,
    bundle_path: Path | None,
    systems: tuple[str, ...],
    as_json: bool,
    **options: Value,
) -> None:
    """Look at model, engine, store, disk, memory, clock, ports, DICOM and GPU; change nothing.

    Give it the options that the server is given. Exits with 1 where a check failed; warnings do not count.
    """
    # Only here: it looks at parts of the server, which may not be installed.
    from edge_retrieve.edge_app.doctor.examine import Subject, examine

    subject = Subject(
        store=store_path,
        bundle=bundle_path,
        settings=ServerSettings.from_options(options),
        systems=tuple(Pacs.parse(each.strip()) for system in systems for each in system.split(",")),
    )
    checks = []
    for check in examine(subject):
        checks.append(check)
        if not as_json:
            _print(check)
    bad = [check.name for check in checks if check.state is State.FAILED]
    if as_json:
        print_json({"sound": not bad, "checks": [asdict(check) for check in checks]})
    elif bad:
        answers().print(f"Not ready: {', '.join(bad)}.", soft_wrap=True)
    else:
        answers().print("Ready.", soft_wrap=True)
    if bad:
        sys.exit(WORK_FAILED)


def _print(check: Check) -> None:
    console = answers()
    console.print(f"{check.state.value:8}", style=_COLOURS[check.state], end="")
    console.print(f"{check.name}: {check.what}.", soft_wrap=True)
    for line in (*check.details, *((f"-> {check.remedy}.",) if check.remedy else ())):
        console.print(f"{'':8}{line}", soft_wrap=True)
