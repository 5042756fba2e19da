"""A row of the settings table: name, default, unit, help and bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edge_retrieve.runtime.errors import ConfigError

Value = str | int | float | bool


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    Parameters
    ----------
    name : str
        With underscores; the option is the same with dashes (``--max-hits``). Units are in the name.
    default : str, int, float or bool
    unit : str
        What a value counts or names.
    help : str
        One sentence, shown by ``edge-retrieve serve --help`` and in docs/settings.md.
    smallest, largest : float
        Bounds of a number, both allowed.
    choices : tuple of str
        The allowed words; empty where any text goes.
    """

    name: str
    default: Value
    unit: str
    help: str
    smallest: float = 0
    largest: float = 0
    choices: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """The command line option."""
        return "--" + self.name.replace("_", "-")

    def check(self, value: Value) -> Value:
        """Return the value, or raise `ConfigError` where it is of the wrong kind or out of bounds."""
        if type(value) is not type(self.default):
            raise ConfigError(
                f"{value!r} is not of the kind of {self.default!r}",
                where=self.option,
                remedy=f"Give it as in: {self.option} {self.default}",
            )
        if self.choices and value not in self.choices:
            raise ConfigError(
                f"'{value}' is unknown", where=self.option, remedy=f"Choose one of {', '.join(self.choices)}"
            )
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and not self.smallest <= float(value) <= self.largest:
            raise ConfigError(
                f"{value} is out of bounds",
                where=self.option,
                remedy=f"Give a number from {self.smallest} to {self.largest}",
            )
        return value


def row(default: Value, unit: str, help: str, **bounds: Any) -> Any:
    """Return a dataclass field that carries its row of the table."""
    return field(default=default, metadata={"unit": unit, "help": help, **bounds})
