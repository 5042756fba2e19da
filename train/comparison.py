"""Objectives and ablations trained alike and compared on the same phantoms (synthetic).

Every variant has the same studies in the same order, the same tokenizer, towers, steps and losses of single
images; what differs is the loss that aligns images with reports. First stages that align nothing are the same
for all: they are trained once, and every variant begins with their weights.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.checkpoint import CHECKPOINT, load_trained
from edge_retrieve.train.config import LossWeights, Objective, Source, TrainConfig
from edge_retrieve.train.digest import source_digest
from edge_retrieve.train.evaluate.compare import compare
from edge_retrieve.train.evaluate.phantom import SEEDS, PhantomReport, evaluate_phantoms
from edge_retrieve.train.evaluate.torch_encoder import TorchEncoder
from edge_retrieve.train.log import STEPS, JsonLines
from edge_retrieve.train.loop import TOKENIZER, Trainer
from edge_retrieve.train.objective import ALIGNMENT
from edge_retrieve.train.run import load_corpora
from edge_retrieve.train.schedule import steps_per_epoch

Progress = Callable[[str, int, int], None]
LOSSES = tuple(field.name for field in dataclasses.fields(LossWeights))
REFERENCE = Objective.RRA_VL.value
# Every loss whose name begins so goes at once: what is left aligns images with reports as a whole.
LOCATION = "location"
SHARED_START = "shared_start"


@dataclass(frozen=True)
class Variant:
    """One way of training.

    Parameters
    ----------
    name : str
        An objective's, or ``without`` and a loss.
    config : TrainConfig
    """

    name: str
    config: TrainConfig


@dataclass(frozen=True)
class Trained:
    """What a variant cost.

    Parameters
    ----------
    variant : Variant
    steps : int
        Batches, the same for all.
    seconds : float
        Time spent in them.
    """

    variant: Variant
    steps: int
    seconds: float


@dataclass(frozen=True)
class ComparisonReport:
    """All variants on the same archives.

    Parameters
    ----------
    trained : tuple of Trained
    reports : mapping of str to PhantomReport
        By the variant's name.
    """

    trained: tuple[Trained, ...]
    reports: Mapping[str, PhantomReport]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of ``edge-retrieve compare --json``."""
        return {
            "synthetic": True,
            "reference": REFERENCE,
            "equal": "studies, order, tokenizer, towers, steps, losses of single images",
            "variants": {
                each.variant.name: {
                    "objective": each.variant.config.objective.value,
                    "steps": each.steps,
                    "seconds": each.seconds,
                    "weights": [dataclasses.asdict(stage.weights) for stage in each.variant.config.stages],
                    **self.reports[each.variant.name].to_json(),
                }
                for each in self.trained
            },
            "differences": compare(self.reports, REFERENCE),
        }


def plan_variants(
    config: TrainConfig, objectives: Sequence[Objective], without: Sequence[str]
) -> tuple[Variant, ...]:
    """Return the reference, the other objectives, and the reference without single losses.

    Raises
    ------
    ConfigError
        A loss is unknown, or no stage of the configuration uses it.
    """
    out = Path(config.out).expanduser()
    variants = [Variant(REFERENCE, replace(config, objective=Objective.RRA_VL, out=str(out / REFERENCE)))]
    for objective in dict.fromkeys(objectives):
        if objective is not Objective.RRA_VL:
            variants.append(
                Variant(objective.value, replace(config, objective=objective, out=str(out / objective.value)))
            )
    for loss in dict.fromkeys(without):
        used = used_losses(config)
        left_out = [name for name in used if name == loss or (loss == LOCATION and name.startswith(loss))]
        if not left_out:
            raise ConfigError(
                f"no stage uses the loss '{loss}'",
                where="--without",
                remedy=f"Used are: {', '.join(used)}; '{LOCATION}' stands for all that begin so",
            )
        none = dict.fromkeys(left_out, 0.0)
        stages = tuple(replace(stage, weights=replace(stage.weights, **none)) for stage in config.stages)
        name = f"without {loss}"
        ablated = replace(config, objective=Objective.RRA_VL, stages=stages)
        variants.append(Variant(name, replace(ablated, out=str(out / name.replace(" ", "_")))))
    return tuple(variants)


def split_stages(config: TrainConfig) -> tuple[TrainConfig | None, TrainConfig]:
    """Return the run of the first stages that align nothing, if any, and the rest that begins there.

    Raises
    ------
    ConfigError
        No stage aligns images with reports.
    """
    aligning = [any(getattr(stage.weights, name) for name in ALIGNMENT) for stage in config.stages]
    if True not in aligning:
        raise ConfigError(
            "no stage aligns images with reports, so that objectives cannot differ", where="config.stages"
        )
    first = aligning.index(True)
    if not first:
        return None, config
    folder = Path(config.out).expanduser() / SHARED_START
    shared = replace(config, objective=Objective.RRA_VL, out=str(folder), stages=config.stages[:first])
    return shared, replace(config, start=str(folder), stages=config.stages[first:])


def used_losses(config: TrainConfig) -> tuple[str, ...]:
    """Return the losses that some stage of a configuration gives a weight."""
    return tuple(name for name in LOSSES if any(getattr(stage.weights, name) for stage in config.stages))


def run_comparison(
    config: TrainConfig,
    objectives: Sequence[Objective],
    without: Sequence[str],
    *,
    studies: int = 1000,
    seeds: Sequence[int] = SEEDS,
    workers: int = 2,
    encoded: Path | None = None,
    progress: Progress | None = None,
) -> ComparisonReport:
    """Train every variant that is not trained yet, then score all of them on the same archives.

    Parameters
    ----------
    config : TrainConfig
        Of the reference; each variant has a folder in its `out`, from which a stopped comparison goes on.
    objectives : sequence of Objective
    without : sequence of str
        Losses that are left out of the reference, one at a time, or ``location``: all conditioned ones.
    studies : int
        Test studies per seed.
    seeds : sequence of int
        Of the test archives.
    workers : int
        Processes that render.
    encoded : Path, optional
        Folder where encoded archives are kept: taken from it where there, written where not.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.

    Raises
    ------
    ConfigError
        The configuration does not train on phantoms, or as `plan_variants`.
    TrainingError
        A variant's folder holds a run of another configuration, or its loss diverged.
    ArchiveError
        An encoded archive in `encoded` is damaged.
    """
    if config.data.source is not Source.PHANTOM:
        raise ConfigError(
            "a comparison is scored on held-out phantoms, and trains on phantoms",
            where="config.data.source",
            remedy='Use "phantom"',
        )
    shared, config = split_stages(config)
    variants = plan_variants(config, objectives, without)
    corpus, validation = load_corpora(config, progress=progress)
    if shared is not None:
        Trainer(shared, corpus, validation, resume=True).run(_named(SHARED_START, progress))
    trained = []
    for variant in variants:
        folder, first = (Path(each.config.out) for each in (variant, variants[0]))
        folder.mkdir(parents=True, exist_ok=True)
        # The trainer of tokenizers is not deterministic: all share the first one's.
        if folder != first and not (folder / TOKENIZER).is_file():
            shutil.copy(first / TOKENIZER, folder)
        Trainer(variant.config, corpus, validation, resume=True).run(_named(variant.name, progress))
        seconds = sum(float(entry["seconds"]) for entry in JsonLines(folder / STEPS).read())
        epochs = sum(stage.epochs for stage in config.stages)
        trained.append(Trained(variant, epochs * steps_per_epoch(len(corpus), config.batch), seconds))
    encoders = []
    for variant in variants:
        folder = Path(variant.config.out)
        loaded = load_trained(folder)
        encoders.append(TorchEncoder(loaded.model, loaded.tokenizer, name=_fingerprint(folder)))
    reports = evaluate_phantoms(
        encoders, studies=studies, seeds=seeds, workers=workers, encoded=encoded, progress=progress
    )
    named = dict(zip([variant.name for variant in variants], reports, strict=True))
    return ComparisonReport(tuple(trained), named)


def _fingerprint(folder: Path) -> str:
    """Return what a variant's kept encodings are told by: its weights, its words and what runs them."""
    digest = hashlib.sha256(source_digest("model").encode())
    digest.update((folder / CHECKPOINT).read_bytes())
    return digest.hexdigest()


def _named(name: str, progress: Progress | None) -> Progress | None:
    if progress is None:
        return None
    return lambda phase, done, total: progress(f"{name}: {phase}", done, total)
