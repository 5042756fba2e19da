"""Made-up embeddings, clustered by region and finding, and questions to them.

All rows of a region share a direction (a cone); findings lie around it, some common and most rare; rows
scatter around their finding, with less variance from one direction to the next. A query is a stored row,
moved a little: from the region asked for, or from another one ("cross"), as a text asking images does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

K = 10
FINDINGS = 40


@dataclass(frozen=True)
class Question:
    """A query, and its answer.

    Parameters
    ----------
    region : int
        The one asked for.
    query : float32 array of shape [D]
    exact : frozenset of int
        The `K` studies nearest, by the float32 product with all rows.
    cross : bool
        Whether the query comes from another region.
    """

    region: int
    query: FloatArray
    exact: frozenset[int]
    cross: bool


def make_rows(region: int, studies: int, dim: int, seed: int) -> FloatArray:
    """Return a region's rows, shape [studies, dim], of unit length; the same for the same arguments."""
    shared = np.random.default_rng(seed)
    cone = shared.normal(size=dim)
    random = np.random.default_rng((seed, region))
    scale = np.arange(1, dim + 1) ** -0.5
    turn = np.linalg.qr(random.normal(size=(dim, dim)))[0].astype(np.float32)
    centre = (cone / np.linalg.norm(cone) + 0.5 * random.normal(size=dim) / np.sqrt(dim)).astype(np.float32)
    findings = (random.normal(size=(FINDINGS, dim)) * scale).astype(np.float32)
    share = 1.0 / np.arange(1, FINDINGS + 1)
    which = random.choice(FINDINGS, studies, p=share / share.sum())
    rows = findings[which]
    rows += 0.6 * random.standard_normal((studies, dim), dtype=np.float32) * scale.astype(np.float32)
    rows = centre * np.float32(2.0) + rows @ turn * np.float32(1.0 / np.sqrt(np.square(scale).sum()))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def draw_questions(studies: int, regions: int, dim: int, queries: int, seed: int) -> list[Question]:
    """Draw queries region by region, so that no more than one region is in memory."""
    random = np.random.default_rng((seed, 10**6))
    moved = []
    for number in range(queries):
        source = number % regions
        cross = number // regions % 2 == 1 and regions > 1
        target = int((source + random.integers(1, regions)) % regions) if cross else source
        moved.append((source, target, cross, int(random.integers(0, studies))))
    asked: dict[int, tuple[FloatArray, bool]] = {}
    for region in range(regions):
        rows = make_rows(region, studies, dim, seed)
        for number, (source, _, cross, study) in enumerate(moved):
            if source == region:
                query = rows[study] + 0.3 / np.sqrt(dim) * random.normal(size=dim)
                asked[number] = (query / np.linalg.norm(query)).astype(np.float32), cross
    questions: list[Question] = []
    for region in range(regions):
        rows = make_rows(region, studies, dim, seed)
        for number, (_, target, _, _) in enumerate(moved):
            if target == region:
                query, cross = asked[number]
                best = np.argpartition(rows @ query, -K)[-K:]
                questions.append(Question(region, query, frozenset(best.tolist()), cross))
    order = random.permutation(len(questions))
    return [questions[number] for number in order]
