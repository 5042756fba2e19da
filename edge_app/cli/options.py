"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_retrieve.edge_app.settings import SETTINGS, Setting

Command = TypeVar("Command", bound=Callable[..., Any])

store_option = click.option(
    "--store",
    "store_path",
    required=True,
    metavar="D",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the case store.",
)
maybe_store_option = click.option(
    "--store",
    "store_path",
    metavar="D",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the case store; this or --server.",
)
server_option = click.option(
    "--server",
    metavar="URL",
    help="A running server to ask in place of a store, as http://127.0.0.1:8080.",
)
token_option = click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the API token that --server asks for.",
)
bundle_option = click.option(
    "--bundle",
    "bundle_path",
    metavar="B",
    type=click.Path(path_type=Path),
    help="Folder or tar of the model bundle; the shipped demo bundle if left out.",
)
key_option = click.option(
    "--key",
    metavar="KEY",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A private key to sign the bundle with.",
)
# The settings of the commands that run a model.
MODEL_SETTINGS = ("backend", "precision", "require_gpu", "engines", "trusted_keys", "allow_unsigned")
studies_option = click.option(
    "--studies",
    metavar="N",
    type=click.IntRange(2),
    default=1000,
    show_default=True,
    help="Test studies per seed.",
)
seeds_option = click.option(
    "--seed",
    "seeds",
    metavar="S",
    multiple=True,
    type=click.IntRange(0),
    default=(101, 102, 103),
    show_default=True,
    help="Seed of a test archive; may be repeated.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Add the options of the settings table, all of them or those named."""
    chosen = [setting for setting in SETTINGS if not names or setting.name in names]

    def decorate(command: Command) -> Command:
        for setting in reversed(chosen):
            command = _option(setting)(command)
        return command

    return decorate


def _option(setting: Setting) -> Callable[[Command], Command]:
    if isinstance(setting.default, bool):
        return click.option(setting.option, setting.name, is_flag=True, help=setting.help)
    kind: Any = click.STRING
    if setting.choices:
        kind = click.Choice(setting.choices)
    elif isinstance(setting.default, int):
        kind = click.IntRange(int(setting.smallest), int(setting.largest))
    elif isinstance(setting.default, float):
        kind = click.FloatRange(setting.smallest, setting.largest)
    return click.option(
        setting.option,
        setting.name,
        type=kind,
        default=setting.default,
        show_default=setting.default != "",
        help=setting.help,
    )
