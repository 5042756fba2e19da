"""The published methods' losses against naive loops, and their gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge_retrieve.train import peers

RNG = np.random.default_rng(11)
B, R, T, D, L = 5, 4, 6, 8, 3


def unit(*shape: int) -> np.ndarray:
    x = RNG.standard_normal(shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def t(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(x))


def cross_entropy(logits: list[float], targets: list[float]) -> float:
    z = np.array(logits) - max(logits)
    return float(-(np.array(targets) * (z - np.log(np.exp(z).sum()))).sum())


def infonce(scores: np.ndarray) -> float:
    eye = np.eye(len(scores))
    rows = [cross_entropy(list(scores[i]), list(eye[i])) for i in range(len(scores))]
    columns = [cross_entropy(list(scores[:, i]), list(eye[i])) for i in range(len(scores))]
    return 0.5 * float(np.mean(rows) + np.mean(columns))


def test_global_infonce_matches_the_formula() -> None:
    image, text = unit(B, D), unit(B, D)
    value = peers.global_infonce(t(image), t(text), torch.tensor(7.0))
    assert float(value) == pytest.approx(infonce(7.0 * image @ text.T), rel=1e-9)


def test_semantic_soft_takes_its_targets_from_findings() -> None:
    image, text, scale = unit(B, D), unit(B, D), 6.0
    findings = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 1, 1]], dtype=float)
    expected = 0.0
    for i in range(B):
        targets = []
        for j in range(B):
            a = np.append(findings[i], float(not findings[i].any()))
            b = np.append(findings[j], float(not findings[j].any()))
            targets.append(float(np.exp(a @ b / np.linalg.norm(a) / np.linalg.norm(b))))
        targets = [target / sum(targets) for target in targets]
        expected += 0.5 * cross_entropy([scale * image[i] @ text[j] for j in range(B)], targets) / B
        expected += 0.5 * cross_entropy([scale * text[i] @ image[j] for j in range(B)], targets) / B
    value = peers.semantic_soft(t(image), t(text), t(findings), torch.tensor(scale))
    assert float(value) == pytest.approx(expected, rel=1e-9)


def test_word_region_is_the_mean_of_a_global_and_a_local_contrast() -> None:
    image, text, regions, words = unit(B, D), unit(B, D), unit(B, R, D), unit(B, T, D)
    mask = np.ones((B, T), dtype=int)
    mask[1, 3:] = mask[4, 1:] = 0
    scores = np.zeros((B, B))
    for i in range(B):
        for j in range(B):
            terms = []
            for m in np.flatnonzero(mask[j]):
                weight = np.exp(4.0 * regions[i] @ words[j, m])
                context = (weight / weight.sum()) @ regions[i]
                terms.append(np.exp(5.0 * context @ words[j, m] / np.linalg.norm(context)))
            scores[i, j] = 10.0 / 5.0 * np.log(np.mean(terms))
    expected = 0.5 * (infonce(7.0 * image @ text.T) + infonce(scores))
    value = peers.word_region(t(image), t(text), t(regions), t(words), t(mask), torch.tensor(7.0))
    assert float(value) == pytest.approx(expected, rel=1e-6)


def test_region_crops_contrast_two_views_of_one_region() -> None:
    first, second, scale = unit(B, R, D), unit(B, R, D), 5.0
    rows = []
    for asking, answering in ((first, second), (second, first)):
        for i in range(B):
            for k in range(R):
                candidates = [(j, k) for j in range(B)] + [(i, m) for m in range(R) if m != k]
                logits = [scale * asking[i, k] @ answering[j, m] for j, m in candidates]
                rows.append(cross_entropy(logits, [float(c == (i, k)) for c in candidates]))
    value = peers.region_crops(t(first), t(second), torch.tensor(scale))
    assert float(value) == pytest.approx(float(np.mean(rows)), rel=1e-9)


@pytest.mark.parametrize("name", ["global_infonce", "semantic_soft", "word_region", "region_crops"])
def test_gradients_match_finite_differences(name: str) -> None:
    scale = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    whole, report = (t(unit(3, D)).requires_grad_() for _ in range(2))
    regions, again, words = (t(unit(3, R, D)).requires_grad_() for _ in range(3))
    findings = t((RNG.random((3, L)) < 0.4).astype(float))
    calls = {
        "global_infonce": (peers.global_infonce, (whole, report, scale)),
        "semantic_soft": (lambda v, w, s: peers.semantic_soft(v, w, findings, s), (whole, report, scale)),
        "word_region": (
            lambda v, w, r, x, s: peers.word_region(v, w, r, x, torch.ones(3, R), s),
            (whole, report, regions, words, scale),
        ),
        "region_crops": (peers.region_crops, (regions, again, scale)),
    }
    function, inputs = calls[name]
    assert torch.autograd.gradcheck(function, inputs, eps=1e-6, atol=1e-5)
