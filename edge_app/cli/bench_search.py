"""``edge-retrieve bench search``: searching a region, beside what could be used instead."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from edge_retrieve.edge_app.bench.calibration import calibrate
from edge_retrieve.edge_app.bench.methods import METHODS
from edge_retrieve.edge_app.bench.search_speed import SearchRow, measure
from edge_retrieve.edge_app.bench.synthetic_rows import K
from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar, say
from edge_retrieve.edge_app.cli.options import json_option
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.index.switch_points import save_switch_points
from edge_retrieve.runtime.store import Store


@click.command("search")
@click.option(
    "--studies",
    "sizes",
    metavar="N",
    multiple=True,
    type=click.IntRange(100, 10_000_000),
    default=(2000, 20_000),
    show_default=True,
    help="Rows in each region; may be repeated.",
)
@click.option(
    "--regions", metavar="N", type=click.IntRange(1, 29), default=29, show_default=True, help="Regions held."
)
@click.option(
    "--dim",
    metavar="N",
    type=click.IntRange(8, 1024),
    default=128,
    show_default=True,
    help="Length of a row.",
)
@click.option(
    "--queries",
    metavar="N",
    type=click.IntRange(10, 100_000),
    default=400,
    show_default=True,
    help="Queries asked of every method.",
)
@click.option(
    "--method",
    "methods",
    metavar="NAME",
    multiple=True,
    help="Part of a method's name; may be repeated (default: every one that is installed).",
)
@click.option("--tiny", is_flag=True, help="A few seconds: does it run at all?")
@click.option(
    "--calibrate",
    "calibrating",
    is_flag=True,
    help="Measure instead from how many rows on which form of a partition is fastest here.",
)
@click.option(
    "--store",
    "store_path",
    type=click.Path(path_type=Path),
    help="With --calibrate: the store that keeps the result; 'store rebuild' then applies it.",
)
@json_option
def search(
    sizes: tuple[int, ...],
    regions: int,
    dim: int,
    queries: int,
    methods: tuple[str, ...],
    tiny: bool,
    calibrating: bool,
    store_path: Path | None,
    as_json: bool,
) -> None:
    """Time queries in one region on synthetic embeddings: ours and other indexes, taking turns."""
    if calibrating:
        _calibrate(dim, tiny, store_path, as_json)
        return
    if store_path is not None:
        raise ConfigError("a store is named, and not used", where="--store", remedy="Add --calibrate")
    unknown = [part for part in methods if not any(part in method.name for method in METHODS)]
    if unknown:
        raise ConfigError(
            f"'{unknown[0]}' is part of no method's name",
            where="--method",
            remedy=f"Known are {', '.join(method.name for method in METHODS)}",
        )
    if tiny:
        sizes, regions, dim, queries = (300,), min(regions, 3), min(dim, 32), min(queries, 30)
    rows: list[SearchRow] = []
    left_out: list[str] = []
    for size in dict.fromkeys(sizes):
        with progress_bar(f"{size} studies") as advance:
            found, left_out = measure(
                size, regions=regions, dim=dim, queries=queries, methods=methods, advance=advance
            )
        rows += found
    if as_json:
        shape = {"synthetic": True, "regions": regions, "dim": dim, "k": K, "queries": queries}
        print_json({**shape, "rows": [asdict(row) for row in rows], "left_out": left_out})
        return
    for reason in left_out:
        say(f"Left out: {reason}")
    answers().print(_table(rows))


def _calibrate(dim: int, tiny: bool, store_path: Path | None, as_json: bool) -> None:
    if store_path is None:
        switch = calibrate(dim, most=4096 if tiny else 400_000)
    else:
        with Store.open(store_path) as store:
            switch = calibrate(store.embedding_dim, most=4096 if tiny else 400_000)
        save_switch_points(store_path, switch)
    if as_json:
        print_json({"switch_points": asdict(switch), "kept": store_path is not None})
        return
    answers().print(f"codes from {switch.codes} rows, a graph from {switch.graph} rows")


def _table(rows: list[SearchRow]) -> Table:
    table = Table(box=None)
    table.add_column("method")
    names = ("studies", "p50 ms", "p99 ms", "recall", "cross", "build s", "disk MB", "anon MB", "mapped MB")
    for name in (*names, "4 regions ms", "batch/s", "open s"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.method,
            str(row.studies),
            *(f"{value:.3f}" for value in (row.p50_ms, row.p99_ms)),
            *(f"{value:.4f}" for value in (row.recall, row.cross)),
            *(f"{value:.1f}" for value in (row.build_s, row.disk_mb, row.anonymous_mb, row.mapped_mb)),
            "" if row.four_p50_ms is None else f"{row.four_p50_ms:.3f}",
            "" if row.batch_per_s is None else f"{row.batch_per_s:.0f}",
            f"{row.first_answer_s:.3f}",
        )
    return table
