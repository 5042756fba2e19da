"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_retrieve.edge_app.settings import SETTINGS, Setting
from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.anatomy.names import region_named

Command = TypeVar("Command", bound=Callable[..., Any])

store_option = click.option(
    "--store",
    "store_path",
    required=True,
    metavar="D",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the case store.",
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
        kind = click.IntRange(setting.smallest, setting.largest)
    return click.option(
        setting.option,
        setting.name,
        type=kind,
        default=setting.default,
        show_default=setting.default != "",
        help=setting.help,
    )


def regions_from(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[Region, ...]:
    """Return the named regions; click's callback for ``--region``."""
    return tuple(region_named(name) for name in names)


def boxes_from(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> tuple[Box, ...]:
    """Return the boxes written as ``x1,y1,x2,y2``; click's callback for ``--box``."""
    boxes = []
    for text in texts:
        try:
            x1, y1, x2, y2 = (float(edge) for edge in text.split(","))
        except ValueError:
            raise click.BadParameter(
                f"'{text}' is no box. Write it as x1,y1,x2,y2 in pixels: 120,80,260,210", ctx, param
            ) from None
        boxes.append(Box(x1, y1, x2, y2))
    return tuple(boxes)
