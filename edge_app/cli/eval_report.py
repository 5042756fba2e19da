"""``edge-retrieve eval report``: how good the drafts of preliminary reports are."""

from __future__ import annotations

import json
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
@click.option(
    "--votes",
    "votes_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What votes are worth, as --fit writes it; what is shipped if left out.",
)
@click.option(
    "--fit",
    "fit_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Fit what votes are worth on other phantoms first, write it here and use it.",
)
@encoded_option
@out_option
@setting_options(*MODEL_SETTINGS)
@json_option
def report(
    bundle_path: Path | None,
    studies: int,
    seeds: tuple[int, ...],
    votes_path: Path | None,
    fit_path: Path | None,
    encoded: Path | None,
    out: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Score drafts of preliminary reports on held-out synthetic phantoms, against baselines.

    A draft is read back as text; what it states is compared with what the phantom shows, and the cases that
    it cites with what these show.
    """
    with named_extras("train"):
        from edge_retrieve.train.evaluate.calibration import SEED, STUDIES
        from edge_retrieve.train.evaluate.draft_report import drafts_json, risk_json, votes_json
        from edge_retrieve.train.evaluate.drafts import draft_archive
        from edge_retrieve.train.evaluate.neighbours import StatedArchive
        from edge_retrieve.train.evaluate.phantom import encode_seeds
        from edge_retrieve.train.evaluate.plain import plain
        from edge_retrieve.train.evaluate.vote_fitting import fit_votes
    from edge_retrieve.runtime.explain.vote_curves import SHIPPED, graphs_digest, require_curves

    with model_encoder(bundle_path, **model) as encoder, phase_progress("Drafting reports") as progress:
        bundle = encoder.bundle
        fusion, calibration = bundle.manifest.fusion, bundle.manifest.score_calibration
        if fit_path is not None:
            fitted_on = min(STUDIES, max(studies, 1)) if studies < STUDIES // 2 else STUDIES
            (apart,) = encode_seeds(encoder, fitted_on, (SEED,), encoded=encoded, progress=progress)
            curves = fit_votes(
                StatedArchive(apart.archive, apart.stated),
                graphs=graphs_digest(bundle),
                data=f"{fitted_on} synthetic phantom studies (seed {SEED})",
                fusion=fusion,
                calibration=calibration,
                progress=progress,
            )
            _write(fit_path, curves.to_json())
        else:
            curves = require_curves(bundle, votes_path or SHIPPED)
        drafted = [
            draft_archive(
                phantoms, curves, fusion=fusion, calibration=calibration, seed=seed, progress=progress
            )
            for seed, phantoms in zip(
                seeds, encode_seeds(encoder, studies, seeds, encoded=encoded, progress=progress), strict=True
            )
        ]
    surveyed, suspected = ([each[n] for each in drafted] for n in range(2))
    figures = plain(
        {
            "synthetic": True,
            "studies_per_seed": studies,
            "seeds": list(seeds),
            "votes_fitted_on": curves.surveyed.data,
            "drafts": drafts_json(surveyed),
            "drafts_of_suspected_regions": drafts_json(suspected),
            "votes": votes_json(surveyed),
            "votes_of_suspected_regions": votes_json(suspected),
            "risk_coverage_of_suspected_regions": risk_json(suspected),
        }
    )
    answer_report("report", "Drafts of preliminary reports", figures, out, as_json)


def _write(path: Path, curves: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(curves) + "\n", encoding="utf-8")
    except OSError as error:
        raise BundleError(
            f"what votes are worth cannot be written ({error.strerror})",
            where=str(path),
            remedy="Name a file that can be written to",
        ) from error
    say(f"Written: {path}")
