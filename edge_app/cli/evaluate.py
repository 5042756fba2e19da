"""``edge-retrieve eval``: how good a bundle is, measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge_retrieve.edge_app.cli.eval_calibration import calibration
from edge_retrieve.edge_app.cli.eval_report import report as drafts
from edge_retrieve.edge_app.cli.evaluating import (
    answer_report,
    encoded_option,
    model_encoder,
    out_option,
    phase_progress,
)
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    bundle_option,
    json_option,
    seeds_option,
    setting_options,
    studies_option,
)

if TYPE_CHECKING:
    from edge_retrieve.train.datasets.records import StudyRecord

Command = TypeVar("Command", bound=Callable[..., Any])

# The data sets that have a loader; `train.config.Source` without the phantoms.
DATASETS = (
    "mimic_cxr", "chest_imagenome", "chest_imagenome_gold", "ms_cxr", "chexpert", "chexpert_5x200",
    "padchest_gr", "vindr_cxr", "nih", "iu_xray", "site",
)  # fmt: skip


def _dataset_options(command: Command) -> Command:
    """Add the options that say how a path is read as a data set."""
    folder = click.Path(path_type=Path, exists=True)
    for option in (
        click.option("--reports", metavar="D", type=folder, help="Where a data set's reports lie, if apart."),
        click.option("--images", metavar="D", type=folder, help="Where a data set's images lie, if apart."),
        click.option(
            "--dataset",
            metavar="NAME",
            type=click.Choice(DATASETS),
            help="The path is the folder of this public data set, or `site`; a table of cases if left out.",
        ),
    ):
        command = option(command)
    return command


@click.group("eval")
def evaluate() -> None:
    """Measure a model bundle."""


evaluate.add_command(calibration)
evaluate.add_command(drafts)


@evaluate.command()
@bundle_option
@studies_option
@seeds_option
@encoded_option
@out_option
@setting_options(*MODEL_SETTINGS)
@json_option
def phantom(
    bundle_path: Path | None,
    studies: int,
    seeds: tuple[int, ...],
    encoded: Path | None,
    out: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Score retrieval, grounding and region boxes on held-out synthetic phantoms."""
    with named_extras("train"):
        from edge_retrieve.train.evaluate.phantom import evaluate_phantom

    with model_encoder(bundle_path, **model) as encoder, phase_progress("Evaluating on phantoms") as progress:
        report = evaluate_phantom(
            encoder,
            studies=studies,
            seeds=seeds,
            encoded=encoded,
            fusion=encoder.bundle.manifest.fusion,
            progress=progress,
        ).to_json()
    answer_report("phantom", "Evaluation on phantoms", report, out, as_json)


@evaluate.command()
@click.argument("cases", metavar="[CASES]", required=False, type=click.Path(path_type=Path))
@_dataset_options
@bundle_option
@studies_option
@seeds_option
@encoded_option
@out_option
@setting_options(*MODEL_SETTINGS)
@json_option
def grounding(
    cases: Path | None,
    dataset: str | None,
    images: Path | None,
    reports: Path | None,
    bundle_path: Path | None,
    studies: int,
    seeds: tuple[int, ...],
    encoded: Path | None,
    out: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Score where phrases are found: on phantoms, or on images with boxes of phrases."""
    with named_extras("train"):
        from edge_retrieve.train.evaluate.grounding_report import grounding_json
        from edge_retrieve.train.evaluate.phantom import encode_seeds
        from edge_retrieve.train.evaluate.plain import plain
        from edge_retrieve.train.evaluate.record_grounding import ground_records

    with model_encoder(bundle_path, **model) as encoder, phase_progress("Grounding phrases") as progress:
        if cases is None:
            archives = encode_seeds(encoder, studies, seeds, encoded=encoded, progress=progress)
            found = [archive.phrases for archive in archives]
        else:
            found = [ground_records(encoder, _records(cases, dataset, images, reports), progress)]
    report = plain({"synthetic": cases is None, "grounding": grounding_json(found)})
    answer_report("grounding", "Phrase grounding", report, out, as_json)


@evaluate.command()
@click.argument("cases", metavar="CASES.csv", type=click.Path(path_type=Path))
@_dataset_options
@bundle_option
@out_option
@setting_options(*MODEL_SETTINGS)
@json_option
def regions(
    cases: Path,
    dataset: str | None,
    images: Path | None,
    reports: Path | None,
    bundle_path: Path | None,
    out: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Score region boxes: the lungs of a table of cases, or all of a data set."""
    with named_extras("train"):
        from edge_retrieve.train.evaluate.boxes_report import boxes_json
        from edge_retrieve.train.evaluate.plain import plain
        from edge_retrieve.train.evaluate.record_boxes import find_boxes
        from edge_retrieve.train.evaluate.regions import FLAG_BELOW, evaluate_regions

    with model_encoder(bundle_path, **model) as encoder, phase_progress("Finding regions") as progress:
        if dataset:
            boxes = find_boxes(encoder, _records(cases, dataset, images, reports), progress)
            report = {"n": len(boxes.found), "regions": boxes_json([boxes])}
        else:
            flag_below = encoder.bundle.manifest.thresholds.get("box_score_flag", FLAG_BELOW)
            lungs = evaluate_regions(cases, encoder, flag_below=flag_below)
            report = {**lungs.to_json(), "regions": boxes_json([lungs.as_boxes()])}
    answer_report("regions", "Region boxes", plain(report), out, as_json)


@evaluate.command()
@click.argument("cases", metavar="CASES", type=click.Path(path_type=Path))
@_dataset_options
@click.option(
    "--truth",
    type=click.Choice(("regions", "labels", "reports")),
    help="What says which finding is where; by default the first of these that the cases have.",
)
@click.option(
    "--min-relevant",
    metavar="N",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Relevant cases of other patients that a query needs.",
)
@bundle_option
@out_option
@setting_options(*MODEL_SETTINGS)
@json_option
def retrieval(
    cases: Path,
    dataset: str | None,
    images: Path | None,
    reports: Path | None,
    truth: str | None,
    min_relevant: int,
    bundle_path: Path | None,
    out: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Score how cases find each other: a table, a data set, or a store's own."""
    with named_extras("train"):
        from edge_retrieve.train.evaluate.plain import plain
        from edge_retrieve.train.evaluate.record_archive import Truth, encode_records
        from edge_retrieve.train.evaluate.retrieval import evaluate_archive
        from edge_retrieve.train.evaluate.retrieval_report import retrieval_json
        from edge_retrieve.train.evaluate.store_archive import read_store

    if cases.is_dir() and not dataset:
        from edge_retrieve.runtime.store import Store

        with Store.open(cases) as store:
            archive = read_store(store, least=min_relevant)
    else:
        with model_encoder(bundle_path, **model) as encoder, phase_progress("Encoding cases") as progress:
            archive = encode_records(
                encoder,
                _records(cases, dataset, images, reports),
                truth=Truth(truth) if truth else None,
                least=min_relevant,
                progress=progress,
            )
    report = plain({"cases": len(archive), **retrieval_json([evaluate_archive(archive)])})
    answer_report("retrieval", "Retrieval", report, out, as_json)


@evaluate.command()
@click.argument("table", metavar="CSV", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def reports(table: Path, as_json: bool) -> None:
    """Score how reports are understood against an indexer's annotation (IU columns)."""
    with named_extras("train"):
        from edge_retrieve.train.evaluate.reports import evaluate_reports

    answer_report("reports", "Reports", evaluate_reports(table).to_json(), None, as_json)


def _records(
    cases: Path, dataset: str | None, images: Path | None, reports: Path | None
) -> Iterator[StudyRecord]:
    from edge_retrieve.train.evaluate.case_table import read_case_table

    if not dataset:
        return read_case_table(cases)
    from edge_retrieve.train.config import Source
    from edge_retrieve.train.datasets.records import Roots
    from edge_retrieve.train.datasets.sources import read_records

    return read_records(Source(dataset), Roots(cases, images, reports))
