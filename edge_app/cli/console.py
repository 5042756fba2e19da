"""Standard output is for answers, standard error for everything else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[..., None]

_PIPED_WIDTH = 160  # columns; rich would assume 80 and fold identifiers


def answers() -> Console:
    """Return the console for answers to people (standard output)."""
    return Console(
        file=sys.stdout, width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False, markup=False
    )


def notes() -> Console:
    """Return the console for what goes on meanwhile (standard error)."""
    return Console(
        file=sys.stderr, width=None if sys.stderr.isatty() else _PIPED_WIDTH, highlight=False, markup=False
    )


def say(text: str) -> None:
    """Say on standard error what is being done."""
    notes().print(text, soft_wrap=True)


def print_json(document: object) -> None:
    """Print one JSON object on standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, default=_plain))


@contextmanager
def progress_bar(description: str) -> Iterator[Advance]:
    """Show a progress bar on standard error while the block runs.

    Yields
    ------
    callable
        Call it as ``advance(done, total)``; what else is passed is shown beside the bar.
    """
    console = notes()
    if not console.is_terminal:
        # A log gets one line, not a bar redrawn.
        console.print(f"{description} …")
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=36),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        disable=not console.is_terminal,
        transient=False,
    ) as progress:
        task = progress.add_task(description, total=None, note="")

        def advance(done: int, total: int, note: str = "") -> None:
            progress.update(task, completed=done, total=total, note=note)

        yield advance


def _plain(value: Any) -> object:
    """Return what `json` does not know by itself: paths, enums' values, NumPy scalars."""
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
