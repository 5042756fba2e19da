"""Two processes on one machine: the loss and the gradient of one process with both their batches."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.batches import Batch, make_batch
from edge_retrieve.train.config import LossWeights, Objective, TrainConfig
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.distributed import Processes
from edge_retrieve.train.log import STEPS
from edge_retrieve.train.loop import Trainer
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.step import StepPlan, work_through
from edge_retrieve.train.text_bank import TextBank
from edge_retrieve.train.tokenizer import train_tokenizer

EVERYTHING = LossWeights(1.0, 0.5, 1.0, 1.0, 0.5, 5.0, 0.5, 1.0)
PLANS = (
    StepPlan(Objective.RRA_VL, EVERYTHING),
    StepPlan(Objective.RRA_VL, EVERYTHING, chunk=3),
    StepPlan(Objective.WORD_REGION, EVERYTHING),
)
WORKER = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from edge_retrieve.train.distributed import average_gradients, joined_processes
from edge_retrieve.train.loop import Trainer
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.step import work_through

folder = Path(sys.argv[1])
torch.set_num_threads(1)
given = torch.load(folder / "given.pt", weights_only=False)
with joined_processes("gloo") as processes:
    model = RraVl(given["config"].model, 200)
    model.load_state_dict(given["model"])
    model.eval()
    found = []
    for plan in given["plans"]:
        model.zero_grad()
        parts = work_through(
            model, given["batches"][processes.rank], replace(plan, processes=processes),
            given["predicted"][processes.rank], torch.Generator(),
        )
        average_gradients(model, processes)
        found.append((parts, {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}))
    corpus = given["corpus"]
    trainer = Trainer(given["config"], corpus, corpus, processes=processes)
    trainer.run()
    weights = trainer.model.state_dict()
    torch.save({"found": found, "weights": weights}, folder / f"rank{processes.rank}.pt")
"""


def join(tensors: list[torch.Tensor | None]) -> torch.Tensor | None:
    """All rows; texts are padded to the longest."""
    if tensors[0] is None:
        return None
    if tensors[0].ndim == 2 and tensors[0].dtype == torch.int64:
        width = max(tensor.shape[1] for tensor in tensors)
        tensors = [torch.nn.functional.pad(tensor, (0, width - tensor.shape[1])) for tensor in tensors]
    return torch.cat(tensors)


def joined(parts: list[Batch]) -> Batch:
    """Both batches as one."""
    names = [field.name for field in dataclasses.fields(Batch)]
    return Batch(**{name: join([getattr(part, name) for part in parts]) for name in names})


@pytest.fixture
def outcome(config: TrainConfig, corpus: Corpus, tmp_path: Path) -> tuple[list, list, Path]:
    tokenizer = train_tokenizer(corpus.reports, 200)
    bank = TextBank(corpus)
    # Five studies each; the first process has a bank of sentences besides, and longer texts.
    batches = [
        make_batch(corpus, rows, tokenizer, 48, (3, n), bank if n == 0 else None, lungs=True)
        for n, rows in enumerate((np.arange(0, 5), np.array([7, 8, 11, 15, 19])))
    ]
    assert len(batches[0].text_regions) != len(batches[1].text_regions)
    torch.manual_seed(0)
    model = RraVl(config.model, 200)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    predicted = [
        torch.tensor([True, False, True, False, False]),
        torch.tensor([False, True, True, False, True]),
    ]
    config = replace(config, stages=config.stages[1:], accumulate=2)
    given = {
        "config": config,
        "corpus": corpus,
        "model": model.state_dict(),
        "batches": batches,
        "plans": PLANS,
        "predicted": predicted,
    }
    torch.save(given, tmp_path / "given.pt")
    (tmp_path / "worker.py").write_text(WORKER)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    done = subprocess.run(
        [*command, str(tmp_path / "worker.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    model.eval()
    expected = []
    for plan in PLANS:
        model.zero_grad()
        parts = work_through(
            model, joined(batches), replace(plan, chunk=0), torch.cat(predicted), torch.Generator()
        )
        grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        expected.append((parts, grads))
    ranks = [torch.load(tmp_path / f"rank{n}.pt", weights_only=False) for n in range(2)]
    return ranks, expected, Path(config.out)


def test_two_processes_equal_one_with_the_joint_batch(outcome: tuple[list, list, Path]) -> None:
    ranks, expected, out = outcome
    for rank in ranks:
        for (parts, grads), (whole, joint) in zip(rank["found"], expected, strict=True):
            assert parts == pytest.approx(whole, rel=1e-5)
            assert set(grads) == set(joint)
            for name in joint:
                torch.testing.assert_close(grads[name], joint[name], rtol=1e-5, atol=1e-5)
    # A whole run: both processes end with the same weights and statistics, and one of them kept the log.
    first, second = (rank["weights"] for rank in ranks)
    assert all(torch.equal(first[name], second[name]) for name in first)
    steps = [json.loads(line) for line in (out / STEPS).read_text().splitlines()]
    assert [entry["step"] for entry in steps] == list(range(1, 7))


def test_a_batch_that_cannot_be_shared_is_refused(config: TrainConfig, corpus: Corpus) -> None:
    for batch, processes in ((8, 3), (32, 2)):  # no multiple; more than the 24 studies
        with pytest.raises(ConfigError, match=f"24 studies cannot be shared by {processes} processes"):
            Trainer(replace(config, batch=batch), corpus, corpus, processes=Processes(0, processes))
