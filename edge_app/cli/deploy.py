"""``edge-retrieve deploy``: files that run the server for good."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from shlex import quote

import click

from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.options import json_option
from edge_retrieve.edge_app.cli.serve import serve
from edge_retrieve.edge_app.deploy.compose import BASE_IMAGE, compose_files, own_folders
from edge_retrieve.edge_app.deploy.serving import Serving
from edge_retrieve.edge_app.deploy.systemd import Site, unit_files, written_folders
from edge_retrieve.edge_app.deploy.templating import write_all
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.runtime.errors import ConfigError

_out = click.argument("out", metavar="OUT", type=click.Path(path_type=Path, file_okay=False))
_options = click.argument(
    "arguments", metavar="[-- SERVE-OPTION...]", nargs=-1, type=click.UNPROCESSED, required=False
)


@click.group()
def deploy() -> None:
    """Write what runs the server for good: a systemd unit, or a compose file."""


@deploy.command()
@_out
@_options
@click.option("--user", metavar="U", default="edge-retrieve", show_default=True, help="User it runs as.")
@click.option(
    "--allow",
    "networks",
    metavar="NET",
    multiple=True,
    help="Address or network, besides this machine, that it may talk with; may be repeated.",
)
@click.option("--gpu", is_flag=True, help="Let it use the GPU's devices.")
@json_option
def systemd(
    out: Path, arguments: tuple[str, ...], user: str, networks: tuple[str, ...], gpu: bool, as_json: bool
) -> None:
    """Write a hardened systemd unit for this installation into the folder OUT.

    After two dashes come the options of `serve`.
    """
    site = Site(
        program=_program(),
        user=user,
        networks=networks,
        gpu=gpu,
        makes_code=importlib.util.find_spec("openvino") is not None,
    )
    serving = _serving(arguments)
    unit, users = write_all(out, unit_files(serving, site))
    owned = " ".join(quote(str(path)) for path in written_folders(serving))
    _tell(
        (unit, users),
        (
            f"install -D -m 644 {quote(str(users))} /etc/sysusers.d/edge-retrieve.conf && systemd-sysusers",
            # One that is there stays as it is: others may have to write to a drop folder, too.
            f'for folder in {owned}; do [ -d "$folder" ] || '
            f'install -d -m 700 -o {user} -g {user} "$folder"; done',
            f"install -m 644 {quote(str(unit))} /etc/systemd/system/ && systemctl daemon-reload",
            "systemctl enable --now edge-retrieve",
        ),
        as_json,
    )


@deploy.command()
@_out
@_options
@click.option(
    "--publish",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address of this machine on which the port is published.",
)
@click.option("--base", metavar="IMAGE", default=BASE_IMAGE, show_default=True, help="Image to build on.")
@json_option
def compose(out: Path, arguments: tuple[str, ...], publish: str, base: str, as_json: bool) -> None:
    """Write a compose file and the Dockerfile of its image into the folder OUT.

    After two dashes come the options of `serve`.
    """
    serving = _serving(arguments)
    files = compose_files(serving, publish=publish, version=version("edge-retrieve"), base=base)
    written = write_all(out, files)
    folder = quote(str(out))
    owned = " ".join(quote(str(path)) for path in own_folders(serving))
    _tell(
        written,
        (
            f"cp -r dist/wheelhouse {folder}/wheelhouse",
            f"mkdir -p {owned} && chown -R 10001:10001 {owned}",
            f"docker compose --project-directory {folder} build",
            f"docker compose --project-directory {folder} up --detach",
        ),
        as_json,
    )


def _serving(arguments: tuple[str, ...]) -> Serving:
    """Understand the options as `serve` itself would.

    Raises
    ------
    ConfigError, click.UsageError
        As `serve` does.
    """
    with serve.make_context("edge-retrieve serve", list(arguments)) as context:
        values = dict(context.params)
    store, bundle = values.pop("store_path"), values.pop("bundle_path")
    known = {name: value for name, value in values.items() if name in ServerSettings.__dataclass_fields__}
    settings = ServerSettings.from_options(known)
    if not settings.port:
        raise ConfigError("a service needs a port of its own", where="--port", remedy="Choose one, as 8080")
    return Serving(arguments, store, bundle, settings)


def _program() -> Path:
    """Return the command as it is installed."""
    beside = Path(sys.executable).with_name("edge-retrieve")
    found = beside if beside.is_file() else shutil.which("edge-retrieve")
    if found is None:
        raise ConfigError(
            "the command edge-retrieve is not installed here",
            remedy="Install the package, then run this again",
        )
    return Path(found).absolute()


def _tell(written: tuple[Path, ...], steps: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json({"files": written, "steps": steps})
        return
    console = answers()
    for path in written:
        console.print(str(path), soft_wrap=True)
    console.print("Next, as root:")
    for step in steps:
        console.print(f"  {step}", soft_wrap=True)
