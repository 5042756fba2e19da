"""The training loop: two stages, averaged weights, a checkpoint an epoch, exact resume."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from edge_retrieve.runtime.errors import TrainingError
from edge_retrieve.train.batches import iterate_epoch
from edge_retrieve.train.checkpoint import CHECKPOINT, read_checkpoint, save_checkpoint
from edge_retrieve.train.config import StageConfig, TrainConfig, config_to_json, load_config
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.datasets.phantom import load_phantom_corpus
from edge_retrieve.train.memory import keep_freed_memory
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.objective import compute_losses
from edge_retrieve.train.phantom.sampling import Split
from edge_retrieve.train.text_bank import TextBank
from edge_retrieve.train.tokenizer import train_tokenizer
from edge_retrieve.train.validate import validate

Progress = Callable[[str, int, int], None]
LOG = "log.jsonl"
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
        Figures of the last epoch on validation phantoms (synthetic), by name.
    """

    checkpoint: Path
    epochs: int
    seconds: float
    validation: dict[str, float]


def train(config_path: Path, *, resume: bool = False, progress: Progress | None = None) -> TrainResult:
    """Train RRA-VL as a configuration file says.

    Parameters
    ----------
    config_path : Path
        JSON file, or the name of a shipped preset.
    resume : bool
        Go on from the checkpoint in the output folder; the steps are those of an uninterrupted run.
    progress : callable, optional
        Called with a phase's name, steps done and steps in all.

    Raises
    ------
    ConfigError
        The configuration is wrong.
    TrainingError
        The output folder holds another run, or the loss diverged.
    """
    config = load_config(config_path)
    keep_freed_memory()

    def rendering(done: int, total: int) -> None:
        if progress:
            progress("render phantoms", done, total)

    corpora = [
        load_phantom_corpus(config.data, config.model.image_size, split, rendering)
        for split in (Split.TRAIN, Split.VAL)
    ]
    return Trainer(config, corpora[0], corpora[1], resume=resume).run(progress)


class Trainer:
    """One training run over given corpora.

    Parameters
    ----------
    config : TrainConfig
    corpus, validation : Corpus
    resume : bool
        As for `train`.
    """

    def __init__(
        self, config: TrainConfig, corpus: Corpus, validation: Corpus, *, resume: bool = False
    ) -> None:
        self.config, self.corpus, self.validation = config, corpus, validation
        self.out = Path(config.out).expanduser()
        self.out.mkdir(parents=True, exist_ok=True)
        self.path = self.out / CHECKPOINT
        if self.path.exists() and not resume:
            raise TrainingError(
                "the output folder holds a run already",
                where=str(self.out),
                remedy="Use --resume or another `out`",
            )
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.epochs_done = 0
        saved = read_checkpoint(self.path) if resume and self.path.exists() else None
        if saved is not None and saved["config"] != config_to_json(config):
            raise TrainingError(
                "the checkpoint was made with another configuration",
                where=str(self.path),
                remedy="Resume with the configuration it was started with, or use another `out`",
            )
        self.tokenizer = self._tokenizer()
        self.bank = TextBank(corpus)
        self.model = RraVl(config.model, self.tokenizer.get_vocab_size())
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.model).eval()
        self.optimiser = torch.optim.AdamW(
            _parameter_groups(self.model, config.weight_decay), lr=0.0, fused=True
        )
        if saved is not None:
            self.model.load_state_dict(saved["model"])
            self.ema.load_state_dict(saved["ema"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.epochs_done = int(saved["epochs_done"])

    def _tokenizer(self) -> Tokenizer:
        """Return the run's tokenizer, trained once.

        The trainer of `tokenizers` breaks ties by hash order, so two trainings on the same text differ:
        the file in the output folder is what makes a resumed run, or a copied one, equal the first.
        """
        path = self.out / TOKENIZER
        if not path.is_file():
            train_tokenizer(self.corpus.reports, self.config.tokenizer.vocabulary).save(str(path))
        return Tokenizer.from_file(str(path))

    def run(self, progress: Progress | None = None) -> TrainResult:
        """Train every stage that is not done yet."""
        began = time.monotonic()
        figures: dict[str, float] = {}
        first = 0
        for stage in self.config.stages:
            for epoch in range(first, first + stage.epochs):
                if epoch >= self.epochs_done:
                    figures = self._epoch(stage, epoch, epoch - first, progress)
            first += stage.epochs
        return TrainResult(self.path, self.epochs_done, time.monotonic() - began, figures)

    def _epoch(
        self, stage: StageConfig, epoch: int, epoch_of_stage: int, progress: Progress | None
    ) -> dict[str, float]:
        config = self.config
        began = time.monotonic()
        self.model.train()
        steps = max(1, len(self.corpus) // config.batch)
        generator = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
        sums: dict[str, float] = {}
        batches = iterate_epoch(
            self.corpus,
            self.tokenizer,
            self.bank,
            batch=config.batch,
            limit=config.model.max_text_tokens,
            seed=(config.seed, epoch),
        )
        for step, batch in enumerate(batches):
            done = epoch_of_stage * steps + step
            rate = _learning_rate(stage, done, stage.epochs * steps, config.warmup_steps)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            predicted = torch.rand(len(batch.pixels), generator=generator) < stage.predicted_boxes
            parts = compute_losses(self.model, batch, stage.weights, predicted, bfloat16=config.bfloat16)
            total = torch.stack(list(parts.values())).sum()
            if not math.isfinite(float(total.detach())):
                raise TrainingError(
                    "the loss is no longer finite",
                    where=f"stage {stage.name}, epoch {epoch + 1}, step {step + 1}",
                    remedy="Lower the learning rate; the last checkpoint is intact",
                )
            self.optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.gradient_clip)
            self.optimiser.step()
            self._average(epoch * steps + step)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            if progress:
                progress(f"{stage.name}, epoch {epoch + 1}", step + 1, steps)
        figures = validate(self.ema, self.tokenizer, self.validation, config.model.max_text_tokens)
        self.epochs_done = epoch + 1
        seconds = time.monotonic() - began
        self._log(stage, {name: value / steps for name, value in sums.items()}, figures, seconds)
        state = {
            "model": self.model.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epochs_done": self.epochs_done,
        }
        save_checkpoint(self.path, config, self.tokenizer, state)
        return figures

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Move the averaged weights a little towards the current ones (faster while training is young)."""
        decay = min(self.config.ema_decay, (1.0 + step) / (10.0 + step))
        averaged: list[Tensor] = list(self.ema.parameters())
        torch._foreach_lerp_(averaged, list(self.model.parameters()), 1.0 - decay)
        # Batch statistics are averages already; averaging them in bfloat16 noise again would only lag.
        for kept, current in zip(self.ema.buffers(), self.model.buffers(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(current, 1.0 - decay)
            else:
                kept.copy_(current)

    def _log(
        self, stage: StageConfig, train: dict[str, float], figures: dict[str, float], seconds: float
    ) -> None:
        entry = {
            "epoch": self.epochs_done,
            "stage": stage.name,
            "seconds": round(seconds, 2),
            "loss": {name: round(value, 5) for name, value in train.items()},
            "validation_synthetic": {name: round(value, 5) for name, value in figures.items()},
        }
        with (self.out / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def _parameter_groups(model: RraVl, weight_decay: float) -> list[dict[str, object]]:
    """Split parameters: matrices and kernels decay, biases, norms and scales do not."""
    decayed: list[Tensor] = []
    kept: list[Tensor] = []
    for parameter in model.parameters():
        (decayed if parameter.ndim > 1 else kept).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]


def _learning_rate(stage: StageConfig, step: int, steps: int, warmup: int) -> float:
    """Return the rate of a step: linear warm-up, then a cosine down to 2 % of the peak."""
    if step < warmup:
        return stage.learning_rate * (step + 1) / warmup
    share = (step - warmup) / max(1, steps - warmup)
    return stage.learning_rate * (0.02 + 0.98 * 0.5 * (1.0 + float(np.cos(np.pi * share))))
