"""``edge-retrieve train`` and ``train-report``: train as a configuration file says, look at the run."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import json_option


@click.command()
@click.argument("config", metavar="CONFIG.json", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint of the same configuration.")
@json_option
def train(config: Path, resume: bool, as_json: bool) -> None:
    """Train RRA-VL as CONFIG.json says."""
    with named_extras("train"):
        from edge_retrieve.train.run import train as run

    with progress_bar("Training") as bar:

        def progress(stage: str, done: int, total: int) -> None:
            bar(done, total, note=stage)

        result = run(config, resume=resume, progress=progress)
    if os.environ.get("RANK", "0") != "0":
        return  # of several processes that torchrun started, one answers
    if as_json:
        print_json(asdict(result))
        return
    console = answers()
    console.print(f"{result.epochs} epochs, checkpoint {result.checkpoint}.", soft_wrap=True)
    for name, value in result.validation.items():
        kind = "validation (synthetic)" if result.synthetic else "validation"
        console.print(f"  {kind} {name}: {value:.4f}")
    console.print(f"Report: {result.checkpoint.parent / 'report.html'}", soft_wrap=True)


@click.command("train-report")
@click.argument("run", metavar="RUN_DIR", type=click.Path(path_type=Path, file_okay=False))
@json_option
def train_report(run: Path, as_json: bool) -> None:
    """Write the report of a training run, finished or not: plots and example hits in one HTML file."""
    with named_extras("train"):
        from edge_retrieve.train.report import write_report

    path = write_report(run)
    if as_json:
        print_json({"report": path})
    else:
        answers().print(f"Report: {path}", soft_wrap=True)
