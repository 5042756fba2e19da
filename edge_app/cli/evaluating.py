"""What the commands of ``edge-retrieve eval`` share: a model, its progress, and how they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar, say
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import Bundle, PrecisionChoice, load_bundle, read_trust
from edge_retrieve.runtime.encoder import Encoder

Progress = Callable[[str, int, int], None]

encoded_option = click.option(
    "--encoded",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep encoded archives here and use those that are there.",
)
out_option = click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write the report here, as JSON and as Markdown tables.",
)


@contextmanager
def model_encoder(
    bundle_path: Path | None, *, trusted_keys: str, allow_unsigned: bool, **model: Any
) -> Iterator[Encoder]:
    """Open the encoder of a bundle that is trusted, with the model settings of a command."""
    with open_encoder(load_bundle(bundle_path, read_trust(trusted_keys, allow_unsigned)), **model) as encoder:
        yield encoder


@contextmanager
def open_encoder(
    bundle: Bundle, *, backend: str, require_gpu: bool, engines: str, precision: str
) -> Iterator[Encoder]:
    """Open a bundle's encoder with the settings of a command."""
    folder = Path(engines) if engines else None
    with Encoder(
        bundle, Backend(backend), require_gpu, engines=folder, precision=PrecisionChoice(precision)
    ) as encoder:
        yield encoder


@contextmanager
def phase_progress(description: str) -> Iterator[Progress]:
    """Show a progress bar; yield what is called with a phase's name, steps done and steps in all."""
    with progress_bar(description) as bar:

        def progress(phase: str, done: int, total: int) -> None:
            bar(done, total, note=phase)

        yield progress


def answer_report(name: str, title: str, report: Mapping[str, Any], out: Path | None, as_json: bool) -> None:
    """Write the report where asked for, then print it: JSON, or figures and tables."""
    from edge_retrieve.train.evaluate.tables import IN_TABLES, markdown, write_report

    if out is not None:
        for path in write_report(out, name, title, report):
            say(f"Written: {path}")
    if as_json:
        print_json(report)
        return
    console = answers()
    for line, value in _flat({name: part for name, part in report.items() if name not in IN_TABLES}):
        console.print(
            f"{line}: {value:.4f}" if isinstance(value, float) else f"{line}: {value}", soft_wrap=True
        )
    if IN_TABLES & report.keys():
        console.print(markdown(title, report), soft_wrap=True)


def _flat(report: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested figures as lines; lists (single seeds) are for ``--json``."""
    lines: list[tuple[str, Any]] = []
    for name, value in report.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{name}.")
        elif not isinstance(value, list | tuple):
            lines.append((prefix + name, value))
    return lines
