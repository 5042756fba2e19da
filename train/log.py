"""The logs of a run: one JSON object a line, one file for steps and one for epochs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG = "config.json"
EPOCHS = "log.jsonl"
STEPS = "steps.jsonl"
_DIGITS = 7


class JsonLines:
    """A file of JSON objects, one a line, that survives being cut off.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one object at the end."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_rounded(entry)) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """Return the objects, without a last line that a crash left unfinished; none without a file."""
        if not self.path.is_file():
            return []
        entries = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                break
        return entries

    def keep(self, key: str, most: int) -> None:
        """Drop what was logged after a checkpoint: objects whose `key` is more than `most`."""
        if not self.path.is_file():
            return
        kept = [entry for entry in self.read() if entry[key] <= most]
        partial = self.path.with_suffix(".partial")
        partial.write_text("".join(json.dumps(entry) + "\n" for entry in kept), encoding="utf-8")
        partial.replace(self.path)


def _rounded(value: Any) -> Any:
    """Return an object with its floats at the digits that float32 has."""
    if isinstance(value, Mapping):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    return value
