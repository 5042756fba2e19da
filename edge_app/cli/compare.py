"""``edge-retrieve compare``: objectives and ablations trained alike, scored alike."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar
from edge_retrieve.edge_app.cli.evaluating import encoded_option
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import json_option, seeds_option, studies_option
from edge_retrieve.runtime.errors import ConfigError


@click.command()
@click.argument("config", metavar="CONFIG.json", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--objectives",
    metavar="A,B,...",
    default="global_infonce,semantic_soft,word_region,region_crops",
    show_default=True,
    help="Objectives beside rra_vl; an empty word for none.",
)
@click.option(
    "--without",
    metavar="LOSS",
    multiple=True,
    help="Train rra_vl without a loss too, or without all conditioned ones (location); may be repeated.",
)
@click.option("--ablate-all", is_flag=True, help="Leave out every loss of the configuration, one at a time.")
@studies_option
@seeds_option
@encoded_option
@json_option
def compare(
    config: Path,
    objectives: str,
    without: tuple[str, ...],
    ablate_all: bool,
    studies: int,
    seeds: tuple[int, ...],
    encoded: Path | None,
    as_json: bool,
) -> None:
    """Train rra_vl, published objectives and ablations alike, and compare them (synthetic)."""
    with named_extras("train"):
        from edge_retrieve.train.comparison import run_comparison, used_losses
        from edge_retrieve.train.comparison_tables import comparison_markdown
        from edge_retrieve.train.config import Objective, load_config

    loaded = load_config(config)
    try:
        chosen = [Objective(name.strip()) for name in objectives.split(",") if name.strip()]
    except ValueError as error:
        known = ", ".join(objective.value for objective in Objective)
        raise ConfigError(str(error), where="--objectives", remedy=f"Known are: {known}") from None
    with progress_bar("Comparing") as bar:

        def progress(phase: str, done: int, total: int) -> None:
            bar(done, total, note=phase)

        report = run_comparison(
            loaded,
            chosen,
            used_losses(loaded) if ablate_all else without,
            studies=studies,
            seeds=seeds,
            workers=loaded.data.workers,
            encoded=encoded,
            progress=progress,
        )
    document, tables = report.to_json(), comparison_markdown(report)
    out = Path(loaded.out).expanduser()
    (out / "compare.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (out / "compare.md").write_text(tables, encoding="utf-8")
    if as_json:
        print_json(document)
    else:
        answers().print(tables, soft_wrap=True)
