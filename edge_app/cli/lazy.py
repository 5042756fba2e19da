"""Commands that are loaded when they are asked for: none pays for what another needs, or fails without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import click

from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.runtime.errors import MissingExtraError

_PACKAGE = __name__.rpartition(".")[0]


class LazyCommands(MutableMapping[str, click.Command]):
    """The commands of a group by name, in the order of the table.

    Parameters
    ----------
    table : mapping of str to str
        Where each command is found: ``module`` or ``module:name`` in this package; without a name it is
        called as its module.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = dict(table)
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._table[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._table.setdefault(name, "")
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._table[name]
        self._loaded.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def _load(name: str, place: str) -> click.Command:
    module, _, attribute = place.partition(":")
    try:
        with named_extras():
            command = getattr(import_module(f"{_PACKAGE}.{module}"), attribute or module)
    except MissingExtraError as error:
        return _absent(name, error)
    assert isinstance(command, click.Command)
    return command


def _absent(name: str, error: MissingExtraError) -> click.Command:
    """Return what stands in the place of a command that cannot be loaded here: it says what to install."""

    def refuse(words: tuple[str, ...]) -> Any:
        raise error

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)],
        help=f"Not here: {error}",
        context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
    )
