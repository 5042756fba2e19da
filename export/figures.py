"""Figures and decision levels on their way into a manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.errors import ConfigError

THRESHOLDS = ("box_score_flag", "abstain_below")


def read_figures(sources: Sequence[str]) -> dict[str, float]:
    """Read what ``edge-retrieve eval ... --json`` printed.

    Parameters
    ----------
    sources : sequence of str
        ``NAME=FILE`` each.

    Returns
    -------
    dict of str to float
        Every number of each file under ``NAME.path.to.it``; lists (single seeds) are left out.

    Raises
    ------
    ConfigError
        A source is not ``NAME=FILE``, or its file is not JSON.
    """
    figures: dict[str, float] = {}
    for source in sources:
        name, path = _split(source, "NAME=FILE")
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"not readable as JSON ({error})",
                where=path,
                remedy="Give what an eval command printed with --json",
            ) from None
        figures.update(_numbers(name, content))
    return figures


def parse_thresholds(settings: Sequence[str]) -> dict[str, float]:
    """Read ``NAME=VALUE`` decision levels.

    Raises
    ------
    ConfigError
        The name is unknown or the value is no number.
    """
    levels: dict[str, float] = {}
    for setting in settings:
        name, value = _split(setting, "NAME=VALUE")
        if name not in THRESHOLDS:
            raise ConfigError(f"unknown threshold {name}", remedy=f"Known are: {', '.join(THRESHOLDS)}")
        try:
            levels[name] = float(value)
        except ValueError:
            raise ConfigError(f"{value!r} is not a number", where=name) from None
    return levels


def _split(setting: str, form: str) -> tuple[str, str]:
    name, sign, value = setting.partition("=")
    if not (name and sign and value):
        raise ConfigError("not understood", where=repr(setting), remedy=f"Write it as {form}")
    return name, value


def _numbers(prefix: str, content: Any) -> Iterator[tuple[str, float]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _numbers(f"{prefix}.{key}", value)
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield prefix, float(content)
