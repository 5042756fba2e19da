"""From a configuration file to a trained model: the studies, the processes, the run."""

from __future__ import annotations

from pathlib import Path

from edge_retrieve.train.config import TrainConfig, load_config
from edge_retrieve.train.datasets import sources
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.device import chosen_device
from edge_retrieve.train.distributed import ALONE, Processes, joined_processes
from edge_retrieve.train.loop import Progress, Trainer, TrainResult
from edge_retrieve.train.memory import keep_freed_memory


def train(config_path: Path, *, resume: bool = False, progress: Progress | None = None) -> TrainResult:
    """Train as a configuration file says; one of several processes where `torchrun` started them.

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
    backend = "nccl" if chosen_device(config.device).type == "cuda" else "gloo"
    with joined_processes(backend) as processes:
        corpora = load_corpora(config, processes, progress)
        return Trainer(config, *corpora, resume=resume, processes=processes).run(progress)


def load_corpora(
    config: TrainConfig, processes: Processes = ALONE, progress: Progress | None = None
) -> tuple[Corpus, Corpus]:
    """Return the studies to train on and those to watch; the first process makes what is not there yet."""
    if not processes.first:
        processes.wait()
    corpora = sources.load_corpora(
        config.data, config.model.image_size, progress if processes.first else None
    )
    if processes.first:
        processes.wait()
    return corpora
