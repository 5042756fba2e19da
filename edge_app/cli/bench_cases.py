"""``edge-retrieve bench query`` and ``bench ingest``: whole cases, files in, hits or rows out."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from edge_retrieve.edge_app.bench.ingest_speed import IngestRow, measure_ingest
from edge_retrieve.edge_app.bench.phantom_archive import fill_store, render_phantoms
from edge_retrieve.edge_app.bench.query_speed import QueryRow, measure_queries
from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar
from edge_retrieve.edge_app.cli.options import bundle_option, json_option, setting_options
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import read_trust

_ASKING = 8  # files that ask
_SEED = 20

_pixels_option = click.option(
    "--pixels",
    metavar="N",
    type=click.IntRange(64, 4096),
    default=1024,
    show_default=True,
    help="Side of the phantoms rendered.",
)
_tiny_option = click.option("--tiny", is_flag=True, help="A few seconds: does it run at all?")


@click.command("query")
@click.argument("images", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--studies",
    metavar="N",
    type=click.IntRange(10, 1_000_000),
    default=2000,
    show_default=True,
    help="Cases in the archive asked.",
)
@click.option(
    "--runs",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=40,
    show_default=True,
    help="Queries of each kind that count.",
)
@_pixels_option
@_tiny_option
@bundle_option
@setting_options("trusted_keys", "allow_unsigned")
@json_option
def query(
    images: tuple[Path, ...],
    studies: int,
    runs: int,
    pixels: int,
    tiny: bool,
    bundle_path: Path | None,
    trusted_keys: str,
    allow_unsigned: bool,
    as_json: bool,
) -> None:
    """Time whole queries by IMAGES (rendered phantoms if left out) in an archive of made-up cases."""
    if tiny:
        studies, runs, pixels = 20, 2, 128
    trust = read_trust(trusted_keys, allow_unsigned)
    with tempfile.TemporaryDirectory(prefix="edge-retrieve-bench-") as name:
        with progress_bar("Rendering phantoms") as advance:
            files = render_phantoms(Path(name) / "phantoms", 2 if tiny else _ASKING, pixels, _SEED, advance)
        with Workspace(Path(name) / "store", bundle_path, trust=trust, create=True) as workspace:
            with progress_bar("Filling a store") as advance:
                fill_store(workspace.store, workspace.encoder, files, studies, advance)
            with progress_bar("Asking") as advance:
                rows = measure_queries(workspace.retriever, workspace.encoder, images or files, runs, advance)
    if as_json:
        shape = {"synthetic": True, "studies": studies, "pixels": None if images else pixels}
        print_json({**shape, "rows": [asdict(row) for row in rows]})
        return
    answers().print(_query_table(rows))


@click.command("ingest")
@click.option(
    "--studies",
    metavar="N",
    type=click.IntRange(1, 100_000),
    default=64,
    show_default=True,
    help="Phantoms rendered and taken in.",
)
@_pixels_option
@_tiny_option
@bundle_option
@setting_options("trusted_keys", "allow_unsigned")
@json_option
def ingest(
    studies: int,
    pixels: int,
    tiny: bool,
    bundle_path: Path | None,
    trusted_keys: str,
    allow_unsigned: bool,
    as_json: bool,
) -> None:
    """Time how phantoms and their reports are taken into a store, stage by stage."""
    if tiny:
        studies, pixels = 4, 128
    trust = read_trust(trusted_keys, allow_unsigned)
    with tempfile.TemporaryDirectory(prefix="edge-retrieve-bench-") as name:
        with progress_bar("Rendering phantoms") as advance:
            files = render_phantoms(Path(name) / "phantoms", studies, pixels, _SEED, advance)
        with (
            Workspace(Path(name) / "store", bundle_path, trust=trust, create=True) as workspace,
            progress_bar("Ingesting") as advance,
        ):
            row = measure_ingest(workspace.store, workspace.encoder, files, advance)
    if as_json:
        print_json({"synthetic": True, "pixels": pixels, "rows": [asdict(row)]})
        return
    answers().print(_ingest_table(row))


def _query_table(rows: list[QueryRow]) -> Table:
    table = Table(box=None)
    table.add_column("query")
    for name in ("p50 ms", "p99 ms", "decode ms", "encode ms", "search ms", "decode + encode"):
        table.add_column(name, justify="right")
    for row in rows:
        times = (row.p50_ms, row.p99_ms, row.decode_ms, row.encode_ms, row.search_ms)
        table.add_row(row.method, *(f"{value:.2f}" for value in times), f"{row.decode_encode_share:.1%}")
    return table


def _ingest_table(row: IngestRow) -> Table:
    table = Table(box=None, title=f"{row.studies_per_s:.1f} studies a second", title_justify="left")
    table.add_column("stage")
    table.add_column("ms a study", justify="right")
    for name, value in asdict(row).items():
        if name.endswith("_ms"):
            stage = "whole" if name == "p50_ms" else name.removesuffix("_ms").replace("_", " ")
            table.add_row(stage, f"{value:.2f}")
    return table
