"""``edge-retrieve eval calibration``: whether a bundle's probabilities hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import say
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
from edge_retrieve.runtime.errors import BundleError


@click.command()
@bundle_option
@studies_option
@seeds_option
@setting_options("abstain_below")
@encoded_option
@out_option
@setting_options(*MODEL_SETTINGS)
@json_option
def calibration(
    bundle_path: Path | None,
    studies: int,
    seeds: tuple[int, ...],
    abstain_below: float,
    encoded: Path | None,
    out: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Score how far the probabilities of hits hold on held-out synthetic phantoms, and what abstaining buys.

    With --out a page of charts is written too: reliability, and risk against coverage.
    """
    with named_extras("train"):
        from edge_retrieve.train.evaluate.calibration_page import write_page
        from edge_retrieve.train.evaluate.calibration_report import calibration_rows
        from edge_retrieve.train.evaluate.phantom import encode_seeds
        from edge_retrieve.train.evaluate.plain import plain

    with model_encoder(bundle_path, **model) as encoder, phase_progress("Calibration") as progress:
        manifest = encoder.bundle.manifest
        curves = manifest.score_calibration
        if curves is None:
            raise BundleError(
                "the bundle's scores are not calibrated",
                where=str(encoder.bundle.path),
                remedy="Calibrate it first: edge-retrieve bundle calibrate",
            )
        archives = [
            phantoms.archive
            for phantoms in encode_seeds(encoder, studies, seeds, encoded=encoded, progress=progress)
        ]
        rows = calibration_rows(
            curves, manifest.fusion, archives, abstain_below=abstain_below, progress=progress
        )
    report = plain(
        {
            "synthetic": True,
            "studies_per_seed": studies,
            "seeds": list(seeds),
            "abstain_below": abstain_below,
            "method": curves.method,
            "data": curves.data,
            "unanswerable": curves.unanswerable,
            "hits": curves.hits,
            "ece_max": max((row["ece"] for row in rows), default=None),
            "calibration": rows,
        }
    )
    answer_report("calibration", "Calibration of the scores", report, out, as_json)
    if out is not None:
        say(f"Written: {write_page(out, 'Calibration of the scores', report)}")
