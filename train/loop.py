"""The training loop: two stages, averaged weights, checkpoints, exact resume, one process or several."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from edge_retrieve.runtime.errors import ConfigError, TrainingError
from edge_retrieve.train.assemble import build_model, build_tokenizer, compile_towers
from edge_retrieve.train.batches import Batch
from edge_retrieve.train.checkpoint import (
    CHECKPOINT,
    TrainedModel,
    checkpoint_to_resume,
    load_start,
    save_checkpoint,
)
from edge_retrieve.train.config import Source, StageConfig, TrainConfig, config_to_json
from edge_retrieve.train.datasets.corpus import Corpus, certainty
from edge_retrieve.train.device import chosen_device, move_batch
from edge_retrieve.train.distributed import (
    ALONE,
    Processes,
    average_gradients,
    share_weights,
)
from edge_retrieve.train.examples import find_examples, save_examples
from edge_retrieve.train.log import CONFIG, EPOCHS, STEPS, JsonLines
from edge_retrieve.train.model.towers import stored_backbones
from edge_retrieve.train.objective import needs
from edge_retrieve.train.optimiser import build_optimiser
from edge_retrieve.train.report import write_report
from edge_retrieve.train.schedule import (
    EpochPlace,
    average_weights,
    iterate_steps,
    learning_rate,
    step_generator,
    steps_per_epoch,
)
from edge_retrieve.train.step import StepPlan, work_through
from edge_retrieve.train.text_bank import TextBank
from edge_retrieve.train.validate import EncodedStudies, encode_studies, validate

Progress = Callable[[str, int, int], None]
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class TrainResult:
    """Outcome of a run.

    Parameters
    ----------
    checkpoint : Path
    epochs : int
        Epochs done in all, earlier runs included.
    seconds : float
        Wall-clock of this run.
    validation : dict
        Figures of the last epoch on the studies watched, by name.
    synthetic : bool
        Whether those are phantoms.
    """

    checkpoint: Path
    epochs: int
    seconds: float
    validation: dict[str, float]
    synthetic: bool


class Trainer:
    """One training run over given corpora.

    Parameters
    ----------
    config : TrainConfig
    corpus, validation : Corpus
    resume : bool
        As for `train`.
    processes : Processes
        This process among those that train the model.
    """

    def __init__(
        self,
        config: TrainConfig,
        corpus: Corpus,
        validation: Corpus,
        *,
        resume: bool = False,
        processes: Processes = ALONE,
    ) -> None:
        if corpus.label_weights is None and config.uncertain < 1:
            corpus = replace(corpus, label_weights=certainty(corpus.reports, config.uncertain))
        self.config, self.corpus, self.validation, self.processes = config, corpus, validation, processes
        if config.batch % processes.world or (processes.world > 1 and len(corpus) < config.batch):
            raise ConfigError(
                f"a batch of {config.batch} of {len(corpus)} studies cannot be shared by "
                f"{processes.world} processes",
                where="config.batch",
                remedy="Use a multiple of the number of processes, and at most all studies",
            )
        for stage in config.stages:
            if corpus.lungs is None and not needs(config.objective, stage.weights).image:
                raise ConfigError(
                    "the stage learns from lung masks alone, and the data set has none",
                    where=f"config.stages: {stage.name}",
                    remedy="Train it on phantoms, or give it other losses",
                )
        self.out = Path(config.out).expanduser()
        self.out.mkdir(parents=True, exist_ok=True)
        self.path = self.out / CHECKPOINT
        self.epochs, self.steps = JsonLines(self.out / EPOCHS), JsonLines(self.out / STEPS)
        saved = checkpoint_to_resume(self.path, config, resume=resume)
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.device = chosen_device(config.device, processes.rank)
        begun = (
            load_start(Path(config.start).expanduser(), config) if config.start and saved is None else None
        )
        self.tokenizer = self._tokenizer(begun)
        self.bank = TextBank(corpus)
        known = (
            saved["model"] if saved is not None else begun.model.state_dict() if begun is not None else None
        )
        stored = stored_backbones(known) if known is not None else None
        self.model = build_model(config, self.tokenizer.get_vocab_size(), self.device, stored)
        if begun is not None:
            self.model.load_state_dict(begun.model.state_dict())
        elif corpus.lungs is None:
            # Without masks the lung finder learns nothing, and what it shows would be chance.
            self.model.lungs.see_nothing()
        self.ema = copy.deepcopy(self.model).eval()
        self.optimiser = build_optimiser(self.model, config.optimiser, config.weight_decay)
        # Where the run stands: whole epochs, batches of the next one, and the sums of their losses.
        self.epochs_done, self.steps_done = 0, 0
        self.sums: dict[str, float] = {}
        if saved is not None:
            self._restore(saved)
        share_weights(self.model, processes)
        compile_towers(self.model, config.compile)

    def _restore(self, saved: dict[str, Any]) -> None:
        self.model.load_state_dict(saved["model"])
        self.ema.load_state_dict(saved["ema"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.epochs_done = int(saved["epochs_done"])
        self.steps_done = int(saved.get("steps_done", 0))
        self.sums = dict(saved.get("sums", {}))
        if "random" in saved:
            torch.set_rng_state(saved["random"])
        if self.processes.first:
            self.epochs.keep("epoch", self.epochs_done)
            each = steps_per_epoch(len(self.corpus), self.config.batch)
            self.steps.keep("step", self.epochs_done * each + self.steps_done)

    def _tokenizer(self, begun: TrainedModel | None) -> Tokenizer:
        """Return the run's tokenizer, made once, or that of the model it begins with.

        The trainer of `tokenizers` breaks ties by hash order, so two trainings on the same text differ:
        the file in the output folder is what makes a resumed run, or a copied one, equal the first.
        """
        path = self.out / TOKENIZER
        if self.processes.first and not path.is_file():
            (begun.tokenizer if begun else build_tokenizer(self.config, self.corpus.reports)).save(str(path))
        self.processes.wait()
        return Tokenizer.from_file(str(path))

    def run(self, progress: Progress | None = None) -> TrainResult:
        """Train every stage that is not done yet."""
        began = time.monotonic()
        progress = progress if self.processes.first else None
        if self.processes.first:
            (self.out / CONFIG).write_text(config_to_json(self.config), encoding="utf-8")
        figures: dict[str, float] = {}
        first = 0
        for stage in self.config.stages:
            for epoch in range(first, first + stage.epochs):
                if epoch >= self.epochs_done:
                    figures = self._epoch(stage, epoch, epoch - first, progress)
            first += stage.epochs
        if self.processes.first:
            save_examples(self.out, find_examples(self.validation, self._encoded()))
            write_report(self.out)
        return TrainResult(self.path, self.epochs_done, time.monotonic() - began, figures, self._synthetic)

    def _encoded(self) -> EncodedStudies:
        return encode_studies(self.ema, self.tokenizer, self.validation, self.config.model.max_text_tokens)

    @property
    def _synthetic(self) -> bool:
        return self.config.data.source is Source.PHANTOM

    def _epoch(
        self, stage: StageConfig, epoch: int, epoch_of_stage: int, progress: Progress | None
    ) -> dict[str, float]:
        config = self.config
        began = time.monotonic()
        self.model.train()
        steps = steps_per_epoch(len(self.corpus), config.batch)
        place = EpochPlace(epoch, self.steps_done, self.processes)
        batches = iterate_steps(self.corpus, self.tokenizer, self.bank, config, place, stage.weights)
        unsaved = 0
        for step, batch in enumerate(batches, self.steps_done):
            started = time.monotonic()
            # The last batches of an epoch may be fewer than are accumulated; they weigh as much.
            opened = step - step % config.accumulate
            gathered = min(config.accumulate, steps - opened)
            rate = learning_rate(
                stage, epoch_of_stage * steps + opened, stage.epochs * steps, config.warmup_steps
            )
            if step == opened:
                self.optimiser.zero_grad()
            parts = self._add_gradient(stage, epoch, step, move_batch(batch, self.device), 1.0 / gathered)
            for name, value in parts.items():
                self.sums[name] = self.sums.get(name, 0.0) + value
            entry: dict[str, Any] = {
                "step": epoch * steps + step + 1,
                "epoch": epoch + 1,
                "stage": stage.name,
            }
            moved = step + 1 == opened + gathered
            norm = {"gradient_norm": self._move(rate, epoch * steps + step)} if moved else {}
            if self.processes.first:
                seconds = time.monotonic() - started
                self.steps.append({**entry, "learning_rate": rate, **norm, "seconds": seconds, "loss": parts})
            self.steps_done = step + 1
            unsaved += 1
            if config.checkpoint_steps and moved and unsaved >= config.checkpoint_steps:
                self._save()
                unsaved = 0
            if progress:
                progress(f"{stage.name}, epoch {epoch + 1}", step + 1, steps)
        return self._close_epoch(stage, epoch, steps, time.monotonic() - began)

    def _add_gradient(
        self, stage: StageConfig, epoch: int, step: int, batch: Batch, share: float
    ) -> dict[str, float]:
        """Add a batch's gradient to those accumulated; return its losses."""
        config = self.config
        generator = step_generator(config, epoch, step, self.processes.rank)
        predicted = torch.rand(len(batch.pixels), generator=generator) < stage.predicted_boxes
        plan = StepPlan(config.objective, stage.weights, config.bfloat16, config.chunk, share, self.processes)
        parts = work_through(self.model, batch, plan, predicted.to(self.device), generator)
        if not math.isfinite(sum(parts.values())):
            raise TrainingError(
                "the loss is no longer finite",
                where=f"stage {stage.name}, epoch {epoch + 1}, step {step + 1}",
                remedy="Lower the learning rate; the last checkpoint is intact",
            )
        return parts

    def _move(self, rate: float, step: int) -> float:
        """Move the weights by the accumulated gradient; return its norm before clipping."""
        average_gradients(self.model, self.processes)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get("rate", 1.0)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        self.optimiser.step()
        average_weights(self.ema, self.model, step, self.config.ema_decay)
        return float(norm)

    def _close_epoch(self, stage: StageConfig, epoch: int, steps: int, seconds: float) -> dict[str, float]:
        """Validate, log and save; the other processes wait."""
        figures: dict[str, float] = {}
        self.epochs_done, self.steps_done = epoch + 1, 0
        losses = {name: value / steps for name, value in self.sums.items()}
        self.sums = {}
        if self.processes.first:
            figures = validate(self.validation, self._encoded())
            self.epochs.append(
                {
                    "epoch": self.epochs_done,
                    "stage": stage.name,
                    "seconds": seconds,
                    "loss": losses,
                    "validation_synthetic" if self._synthetic else "validation": figures,
                }
            )
        self._save()
        return figures

    def _save(self) -> None:
        if self.processes.first:
            state = {
                "model": self.model.state_dict(),
                "ema": self.ema.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "epochs_done": self.epochs_done,
                "steps_done": self.steps_done,
                "sums": self.sums,
                "random": torch.get_rng_state(),
            }
            save_checkpoint(self.path, self.config, self.tokenizer, state)
        self.processes.wait()
