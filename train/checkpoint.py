"""Checkpoints: written whole or not at all, read with a clear word on what does not fit."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from edge_retrieve.runtime.errors import TrainingError
from edge_retrieve.train.config import TrainConfig, config_to_json, parse_config
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.model.towers import stored_backbones

CHECKPOINT = "checkpoint.pt"
_FORMAT = 1


@dataclass(frozen=True)
class TrainedModel:
    """A model ready to evaluate or export: averaged weights, tokenizer and the configuration behind them."""

    model: RraVl
    tokenizer: Tokenizer
    config: TrainConfig
    epochs_done: int


def save_checkpoint(path: Path, config: TrainConfig, tokenizer: Tokenizer, state: dict[str, Any]) -> None:
    """Write a checkpoint to a temporary name, flush it to disk and rename it.

    Parameters
    ----------
    path : Path
    config : TrainConfig
    tokenizer : Tokenizer
    state : dict
        ``model``, ``ema``, ``optimiser`` state dicts and ``epochs_done``; within an epoch also
        ``steps_done`` of it and the ``sums`` of their losses; ``random``, PyTorch's generator.
    """
    partial = path.with_suffix(".partial")
    content = {"format": _FORMAT, "config": config_to_json(config), "tokenizer": tokenizer.to_str(), **state}
    with partial.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint's raw content.

    Raises
    ------
    TrainingError
        Where the file is missing, damaged, or of another format.
    """
    if path.is_dir():
        path = path / CHECKPOINT
    if not path.is_file():
        raise TrainingError(
            "no such checkpoint", where=str(path), remedy="Train one with `edge-retrieve train`"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged archive
        raise TrainingError(f"not a readable checkpoint ({error})", where=str(path)) from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise TrainingError("not a checkpoint of this version", where=str(path))
    return content


def _config_of(content: dict[str, Any], path: Path) -> TrainConfig:
    """Return a checkpoint's configuration; settings younger than it have defaults that change nothing."""
    return parse_config(json.loads(content["config"]), where=str(path))


def checkpoint_to_resume(path: Path, config: TrainConfig, *, resume: bool) -> dict[str, Any] | None:
    """Return the checkpoint that a run goes on from, None where it starts anew.

    Raises
    ------
    TrainingError
        As `read_checkpoint`; where a run that is not resumed would overwrite it, or a resumed one has
        another configuration.
    """
    if not path.exists():
        return None
    if not resume:
        raise TrainingError(
            "the output folder holds a run already",
            where=str(path.parent),
            remedy="Use --resume or another `out`",
        )
    content = read_checkpoint(path)
    if _config_of(content, path) != config:
        raise TrainingError(
            "the checkpoint was made with another configuration",
            where=str(path),
            remedy="Resume with the configuration it was started with, or use another `out`",
        )
    return content


def load_trained(path: Path) -> TrainedModel:
    """Load the averaged weights of a checkpoint (a file, or the folder that holds it) for inference.

    Raises
    ------
    TrainingError
        As `read_checkpoint`, and where the weights do not fit the model.
    """
    return _trained(read_checkpoint(path), path, partial=False)


def load_start(path: Path, config: TrainConfig) -> TrainedModel:
    """Load the model that a run begins with.

    Parts younger than the checkpoint begin as they are made; parts that there are no more are left out.

    Parameters
    ----------
    path : Path
    config : TrainConfig
        Of the run that begins.

    Raises
    ------
    TrainingError
        As `load_trained`, and where the checkpoint's model has other sizes than the configuration's.
    """
    content = read_checkpoint(path)
    begun = _config_of(content, path)
    if begun.model != config.model:
        raise TrainingError(
            "the run's model is not that of the checkpoint it begins with",
            where=str(path),
            remedy="Give `model` the settings that the checkpoint was trained with",
        )
    return _trained(content, path, partial=True)


def _trained(content: dict[str, Any], path: Path, *, partial: bool) -> TrainedModel:
    config = _config_of(content, path)
    tokenizer = Tokenizer.from_str(content["tokenizer"])
    model = RraVl(config.model, tokenizer.get_vocab_size(), stored_backbones(content["ema"]))
    weights, own = content["ema"], model.state_dict()
    if partial:
        weights = own | {name: value for name, value in weights.items() if name in own}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(
            f"the weights are those of another architecture ({error})",
            where=str(path),
            remedy="Use the version that trained it, or train again",
        ) from None
    return TrainedModel(model.eval(), tokenizer, config, content["epochs_done"])
