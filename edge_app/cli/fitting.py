"""``edge-retrieve bundle tune|calibrate``: what counts in a bundle's scores and what they are worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.evaluating import encoded_option, open_encoder, phase_progress
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import MODEL_SETTINGS, json_option, key_option, setting_options
from edge_retrieve.runtime.bundle import (
    calibrate_bundle,
    inspect_bundle,
    read_signing_key,
    require_folder,
    tune_bundle,
)
from edge_retrieve.runtime.errors import ConfigError


def fitting_options(seed: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add what every command takes that fits a part of the bundle in FOLDER on held-out phantoms.

    Parameters
    ----------
    seed : int
        Of the phantoms where none is given.
    """
    options = (
        click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path)),
        click.option(
            "--studies",
            metavar="N",
            type=click.IntRange(2),
            default=2000,
            show_default=True,
            help="Phantoms to fit on.",
        ),
        click.option(
            "--seed",
            metavar="S",
            type=click.IntRange(0),
            default=seed,
            show_default=True,
            help="Of the phantoms; none that figures are reported on.",
        ),
        encoded_option,
        key_option,
        setting_options(*(name for name in MODEL_SETTINGS if name not in ("trusted_keys", "allow_unsigned"))),
        json_option,
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command()
@fitting_options(302)
@click.option(
    "--check-seed",
    "check_seeds",
    metavar="S",
    multiple=True,
    type=click.IntRange(0),
    help="Also rank other phantoms with the weights found and with those before; may be repeated.",
)
def tune(
    folder: Path,
    studies: int,
    seed: int,
    encoded: Path | None,
    key: Path | None,
    as_json: bool,
    check_seeds: tuple[int, ...],
    **model: Any,
) -> None:
    """Find what images and texts count in a score on held-out synthetic phantoms, and put it into the bundle.

    Stores made with the bundle stay usable. A calibration it had is gone, for it was of other scores, and so
    is a signature; give --key to sign it anew.
    """
    with named_extras("train"):
        from edge_retrieve.train.evaluate.fusion import METRIC, tune_fusion
        from edge_retrieve.train.evaluate.fusion_check import CHECKED, compare_weights
        from edge_retrieve.train.evaluate.phantom import encode_seeds

    signing = read_signing_key(key) if key else None
    if seed in check_seeds:
        raise ConfigError(
            f"seed {seed} is tuned on: it cannot tell whether that helped",
            where="--check-seed",
            remedy="Use another",
        )
    found = inspect_bundle(folder)
    with open_encoder(found, **model) as encoder, phase_progress("Tuning") as progress:
        (phantoms,) = encode_seeds(encoder, studies, [seed], encoded=encoded, progress=progress)
        data = f"{studies} held-out synthetic phantoms, seed {seed}"
        tuning = tune_fusion(phantoms.archive, data=data, progress=progress)
        others = encode_seeds(encoder, studies, check_seeds, encoded=encoded, progress=progress)
        compared = (
            compare_weights(
                [other.archive for other in others], found.manifest.fusion, tuning.fusion, progress=progress
            )
            if check_seeds
            else ()
        )
    tuned = tune_bundle(folder, tuning.fusion, signing)
    document = {
        "path": str(folder),
        "bundle_id": tuned.bundle_id,
        "synthetic": True,
        "fusion": asdict(tuning.fusion),
        "metric": METRIC,
        "tried": [{**asdict(each), "asked": each.asked.value} for each in tuning.tried],
        "checked": {
            "seeds": list(check_seeds),
            "metric": CHECKED,
            "queries": [each.to_json() for each in compared],
        },
    }
    if as_json:
        print_json(document)
        return
    console = answers()
    for form in ("conditioned", "unconditioned"):
        weights = asdict(getattr(tuning.fusion, form))
        told = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
        console.print(f"{form}: {told}", soft_wrap=True)
    for each in compared:
        console.print(
            f"{each.asked.value}, {'conditioned' if each.conditioned else 'unconditioned'}: P@5 "
            f"{each.before:.3f} before, {each.after:.3f} now, {each.difference:+.4f} "
            f"({each.interval.low:+.4f} to {each.interval.high:+.4f})",
            soft_wrap=True,
        )
    console.print(f"{folder}: tuned on {data}; calibrate it next.", soft_wrap=True)


@click.command()
@fitting_options(301)
def calibrate(
    folder: Path,
    studies: int,
    seed: int,
    encoded: Path | None,
    key: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Fit what the scores are worth on held-out synthetic phantoms, and put it into the bundle in FOLDER.

    Stores made with the bundle stay usable. A signature it had is gone; give --key to sign it anew.
    """
    with named_extras("train"):
        from edge_retrieve.train.evaluate.calibration import fit_calibration
        from edge_retrieve.train.evaluate.phantom import encode_seeds

    signing = read_signing_key(key) if key else None
    require_folder(folder, "calibrated")
    found = inspect_bundle(folder)
    with open_encoder(found, **model) as encoder, phase_progress("Calibrating") as progress:
        (phantoms,) = encode_seeds(encoder, studies, [seed], encoded=encoded, progress=progress)
        curves = fit_calibration(
            phantoms.archive,
            found.manifest.fusion,
            data=f"{studies} held-out synthetic phantoms, seed {seed}",
            progress=progress,
        )
    calibrated = calibrate_bundle(folder, curves, signing)
    if as_json:
        signature = calibrated.manifest.signature
        print_json(
            {
                "path": str(folder),
                "bundle_id": calibrated.bundle_id,
                "synthetic": True,
                "data": curves.data,
                "curves": len(curves.curves),
                "key": signature.key if signature else None,
            }
        )
        return
    told = f"signed with {signing.trusted.fingerprint}" if signing else "not signed"
    answers().print(f"{folder}: {len(curves.curves)} curves, from {curves.data}; {told}.", soft_wrap=True)
