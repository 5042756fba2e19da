"""Filling in the templates that lie beside this file."""

from __future__ import annotations

import re
from pathlib import Path

from edge_retrieve.runtime.errors import ConfigError

TEMPLATES = Path(__file__).parent / "templates"

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def fill(name: str, **values: str | int) -> str:
    """Return a template with its ``{{places}}`` filled; a line that is left empty by it goes.

    Raises
    ------
    KeyError
        Where a place has no value.
    """
    lines = []
    for line in (TEMPLATES / name).read_text(encoding="utf-8").splitlines():
        filled = _PLACE.sub(lambda place: str(values[place[1]]), line)
        if filled or not line:
            lines.append(filled)
    return "\n".join(lines) + "\n"


def write_all(folder: Path, files: dict[str, str]) -> tuple[Path, ...]:
    """Write texts into a folder, in the place of what an earlier run wrote.

    Raises
    ------
    ConfigError
        Where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the folder cannot be written ({error.strerror})",
            where=str(folder),
            remedy="Name another folder",
        ) from error
    return tuple(folder / name for name in files)
