"""``edge-retrieve eval``: how good a bundle is, measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    bundle_option,
    json_option,
    setting_options,
)
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import load_bundle, read_trust
from edge_retrieve.runtime.encoder import Encoder


@click.group("eval")
def evaluate() -> None:
    """Measure a model bundle."""


@evaluate.command()
@bundle_option
@click.option(
    "--studies",
    metavar="N",
    type=click.IntRange(2),
    default=1000,
    show_default=True,
    help="Studies per seed.",
)
@click.option(
    "--seed",
    "seeds",
    metavar="S",
    multiple=True,
    type=click.IntRange(0),
    default=(101, 102, 103),
    show_default=True,
    help="Seed of a test archive; may be repeated.",
)
@setting_options(*MODEL_SETTINGS)
@json_option
def phantom(
    bundle_path: Path | None,
    studies: int,
    seeds: tuple[int, ...],
    backend: str,
    require_gpu: bool,
    trusted_keys: str,
    allow_unsigned: bool,
    as_json: bool,
) -> None:
    """Score retrieval and region boxes on held-out synthetic phantoms."""
    with named_extras("train"):
        from edge_retrieve.train.evaluate.phantom import evaluate_phantom

    bundle = load_bundle(bundle_path, read_trust(trusted_keys, allow_unsigned))
    with (
        Encoder(bundle, Backend(backend), require_gpu) as encoder,
        progress_bar("Evaluating on phantoms") as bar,
    ):

        def progress(phase: str, done: int, total: int) -> None:
            bar(done, total, note=phase)

        report = evaluate_phantom(encoder, studies=studies, seeds=seeds, progress=progress).to_json()
    _show(report, as_json)


@evaluate.command()
@click.argument("cases", metavar="CASES.csv", type=click.Path(path_type=Path, dir_okay=False))
@bundle_option
@setting_options(*MODEL_SETTINGS)
@json_option
def regions(
    cases: Path,
    bundle_path: Path | None,
    backend: str,
    require_gpu: bool,
    trusted_keys: str,
    allow_unsigned: bool,
    as_json: bool,
) -> None:
    """Score the two lung boxes against those of a table of cases."""
    with named_extras("train"):
        from edge_retrieve.train.evaluate.regions import FLAG_BELOW, evaluate_regions

    bundle = load_bundle(bundle_path, read_trust(trusted_keys, allow_unsigned))
    with Encoder(bundle, Backend(backend), require_gpu) as encoder:
        flag_below = encoder.bundle.manifest.thresholds.get("box_score_flag", FLAG_BELOW)
        report = evaluate_regions(cases, encoder, flag_below=flag_below).to_json()
    _show(report, as_json)


@evaluate.command()
@click.argument("table", metavar="CSV", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def reports(table: Path, as_json: bool) -> None:
    """Score how reports are understood against an indexer's annotation (IU columns)."""
    with named_extras("train"):
        from edge_retrieve.train.evaluate.reports import evaluate_reports

    _show(evaluate_reports(table).to_json(), as_json)


def _show(report: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    console = answers()
    for name, value in _flat(report):
        console.print(
            f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}", soft_wrap=True
        )


def _flat(report: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested figures as lines; lists (single seeds) are for ``--json``."""
    lines: list[tuple[str, Any]] = []
    for name, value in report.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{name}.")
        elif not isinstance(value, list | tuple):
            lines.append((prefix + name, value))
    return lines
