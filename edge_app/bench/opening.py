"""Open a method's files in a process of its own: how long until the first answer, how much memory.

`search_speed` runs it as ``python -m edge_retrieve.edge_app.bench.opening``; it prints a line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edge_retrieve.edge_app.bench.memory import memory_bytes
from edge_retrieve.edge_app.bench.method import Method
from edge_retrieve.edge_app.bench.methods import METHODS
from edge_retrieve.edge_app.bench.synthetic_rows import K, Question


@dataclass(frozen=True)
class Opening:
    """What opening took.

    Parameters
    ----------
    first_answer_s : float
    anonymous, mapped : int
        Resident memory after all queries, bytes.
    """

    first_answer_s: float
    anonymous: int
    mapped: int


def measure_opening(method: Method, questions: Sequence[Question]) -> Opening:
    """Ask in a new process.

    Parameters
    ----------
    method : Method
        Whose files are written.
    questions : sequence of Question
        Asked in this order.
    """
    asked = method.folder.with_suffix(".questions.npz")
    np.savez(
        asked,
        regions=np.asarray([question.region for question in questions]),
        queries=np.stack([question.query for question in questions]),
    )
    shape = [method.name, method.folder, method.studies, method.regions, method.dim, asked]
    done = subprocess.run(
        [sys.executable, "-m", __name__, *map(str, shape)], stdout=subprocess.PIPE, check=True, text=True
    )
    return Opening(**json.loads(done.stdout))


def _open(name: str, folder: str, studies: str, regions: str, dim: str, asked: str) -> Opening:
    with np.load(asked) as held:
        wanted = list(zip(held["regions"].tolist(), held["queries"], strict=True))
    (kind,) = (method for method in METHODS if method.name == name)
    method = kind(Path(folder), int(studies), int(regions), int(dim))
    start = time.perf_counter()
    method.open()
    method.search(*wanted[0], K)
    first = time.perf_counter() - start
    for region, query in wanted:
        method.search(region, query, K)
    return Opening(first, *memory_bytes())


if __name__ == "__main__":
    print(json.dumps(asdict(_open(*sys.argv[1:]))))
