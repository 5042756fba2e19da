"""``edge-retrieve bench``: how fast this machine is at what a query consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.table import Table

from edge_retrieve.edge_app.cli.bench_cases import ingest, query
from edge_retrieve.edge_app.cli.bench_search import search
from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar, say
from edge_retrieve.edge_app.cli.options import bundle_option, json_option, setting_options
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import load_bundle, read_trust
from edge_retrieve.runtime.graph_speed import ENGINES, Speed, encode_speed, region_speed

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    bundle_option,
    click.option(
        "--backend",
        "backends",
        multiple=True,
        type=click.Choice([backend.value for backend in ENGINES]),
        help="An engine to time; may be repeated (default: every one of these that works here).",
    ),
    click.option(
        "--batch",
        "batches",
        metavar="N",
        multiple=True,
        type=click.IntRange(1, 256),
        default=(1, 16),
        show_default=True,
        help="Images or texts a run; may be repeated.",
    ),
    click.option(
        "--runs",
        metavar="N",
        type=click.IntRange(1, 10_000),
        default=30,
        show_default=True,
        help="Runs of each case that count.",
    ),
    click.option(
        "--threads",
        metavar="N",
        type=click.IntRange(1, 1024),
        help="CPU threads an engine may use; its own choice if left out.",
    ),
    setting_options("trusted_keys", "allow_unsigned"),
    json_option,
)


def _with_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def bench() -> None:
    """Time the parts of a query on this machine, with made-up input."""


for command in (search, query, ingest):
    bench.add_command(command)


@bench.command()
@_with_options
def encode(**options: Any) -> None:
    """Time the image and the text encoder: every form the bundle has, in every engine, taking turns."""
    _show(encode_speed, **options)


@bench.command()
@_with_options
def region(**options: Any) -> None:
    """Time the probing of boxes on an encoded image, beside encoding the image."""
    _show(region_speed, **options)


def _show(
    measure: Callable[..., Speed],
    *,
    bundle_path: Path | None,
    backends: tuple[str, ...],
    batches: tuple[int, ...],
    runs: int,
    threads: int | None,
    trusted_keys: str,
    allow_unsigned: bool,
    as_json: bool,
) -> None:
    bundle = load_bundle(bundle_path, read_trust(trusted_keys, allow_unsigned))
    # The same engine or size twice would be the same case twice.
    chosen = tuple(dict.fromkeys(map(Backend, backends)))
    with progress_bar("Timing") as advance:
        speed = measure(
            bundle, chosen, batches=tuple(dict.fromkeys(batches)), runs=runs, threads=threads, advance=advance
        )
    if as_json:
        rows = [asdict(row) for row in speed.rows]
        print_json(
            {"bundle_id": bundle.bundle_id, "threads": threads, "rows": rows, "refused": speed.refused}
        )
        return
    for reason in speed.refused:
        say(f"Left out: {reason}")
    table = Table(box=None)
    table.add_column("method")
    for name in ("p50 ms", "p99 ms", "CPU ms", "cosine", "of image"):
        table.add_column(name, justify="right")
    for row in speed.rows:
        share = "" if row.of_image_encode is None else f"{100 * row.of_image_encode:.2f} %"
        times = (f"{value:.3f}" for value in (row.p50_ms, row.p99_ms, row.cpu_ms))
        table.add_row(row.method, *times, f"{row.cosine:.5f}", share)
    answers().print(table)
