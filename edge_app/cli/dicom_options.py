"""Options of the commands that talk with another DICOM system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_retrieve.edge_app.dicom_node.peers import OWN_AE_TITLE, Peer, TlsFiles

Command = TypeVar("Command", bound=Callable[..., Any])

_file = click.Path(path_type=Path, dir_okay=False)


def peer_options(command: Command) -> Command:
    """Add HOST, PORT and how to call; `peer_from` reads them."""
    for add in (
        click.option("--tls-authorities", metavar="PEM", type=_file, help="Authorities believed with --tls."),
        click.option("--tls-key", metavar="PEM", type=_file, help="Key of that certificate."),
        click.option(
            "--tls-certificate",
            metavar="PEM",
            type=_file,
            help="Our certificate, where the other system asks for one.",
        ),
        click.option("--tls", is_flag=True, help="Speak TLS."),
        click.option(
            "--calling", metavar="AET", default=OWN_AE_TITLE, show_default=True, help="Our own AE title."
        ),
        click.option("--called", metavar="AET", required=True, help="AE title of the other system."),
        click.argument("port", type=click.IntRange(1, 65535)),
        click.argument("host"),
    ):
        command = add(command)
    return command


def search_options(command: Command) -> Command:
    """Add what studies are searched by."""
    for add in (
        click.option("--accession", metavar="N", default="", help="Accession Number."),
        click.option("--study", metavar="UID", default="", help="Study Instance UID."),
        click.option("--patient", metavar="ID", default="", help="Patient ID; the whole of it."),
    ):
        command = add(command)
    return command


def web_options(command: Command) -> Command:
    """Add URL and how to be let in: the parameters of `DicomWebPeer`."""
    for add in (
        click.option("--tls-authorities", "authorities", metavar="PEM", type=_file, help="Who is believed."),
        click.option(
            "--credentials",
            metavar="FILE",
            type=_file,
            help="File with user:password, or a token.",
        ),
        click.argument("url"),
    ):
        command = add(command)
    return command


def peer_from(
    host: str,
    port: int,
    called: str,
    calling: str,
    tls: bool,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_authorities: Path | None,
) -> Peer:
    """Return the system that the options of `peer_options` name.

    Raises
    ------
    ConfigError
        Where an AE title is none.
    UsageError
        Where certificates are named without ``--tls``.
    """
    files = (tls_certificate, tls_key, tls_authorities)
    if not tls and any(files):
        raise click.UsageError("Certificates are for TLS: add --tls.")
    return Peer(host, port, called, calling, TlsFiles(*files) if tls else None)
