"""Each loss against a naive NumPy oracle, and its gradient against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge_retrieve.train import losses

RNG = np.random.default_rng(5)
B, R, T, D, L = 5, 4, 6, 8, 3
MIRROR = np.array([1, 0, 2, 3])


def unit(*shape: int) -> np.ndarray:
    x = RNG.standard_normal(shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def t(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(x))


def cross_entropy(logits: list[float], targets: list[float]) -> float:
    z = np.array(logits) - max(logits)
    log_p = z - np.log(np.exp(z).sum())
    y = np.array(targets) / sum(targets)
    return float(-(y * log_p).sum())


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    first, second = {i for i in range(len(a)) if a[i]}, {i for i in range(len(b)) if b[i]}
    return len(first & second) / len(first | second) if first | second else 1.0


def labels_() -> np.ndarray:
    labels = (RNG.random((B, R, L)) < 0.35).astype(float)
    labels[0, 0] = labels[1, 0] = labels[3, 0] = [1, 0, 0]
    return labels


def test_semantic_global_matches_the_formula() -> None:
    image, text, scale, g = unit(B, D), unit(B, D), 7.0, 10.0
    similarity = RNG.random((B, B))
    expected = 0.0
    for s, y in ((scale * image @ text.T, similarity), (scale * text @ image.T, similarity.T)):
        for i in range(B):
            target = np.exp(g * y[i]) / np.exp(g * y[i]).sum()
            expected += 0.5 * cross_entropy(list(s[i]), list(target)) / B
    value = losses.semantic_global(t(image), t(text), t(similarity), torch.tensor(scale), g)
    assert float(value) == pytest.approx(expected, rel=1e-9)


def test_region_word_matches_the_formula() -> None:
    regions, words = unit(B, R, D), unit(B, T, D)
    mask = np.ones((B, T), dtype=int)
    mask[1, 3:] = mask[4, 1:] = 0
    t1, t2, scale = 5.0, 4.0, 10.0
    scores = np.zeros((B, B))
    for i in range(B):
        for j in range(B):
            terms = []
            for m in range(T):
                if not mask[j, m]:
                    continue
                a = np.exp(t1 * regions[i] @ words[j, m])
                c = (a / a.sum()) @ regions[i]
                terms.append(np.exp(t2 * c @ words[j, m] / np.linalg.norm(c)))
            scores[i, j] = scale / t2 * np.log(np.mean(terms))
    eye = np.eye(B)
    expected = np.mean(
        [
            0.5 * cross_entropy(list(line), list(eye[i]))
            for i in range(B)
            for line in (scores[i], scores[:, i])
        ]
    )
    expected *= 2  # each of the B rows holds two halves
    value = losses.region_word(t(regions), t(words), t(mask), attention=t1, pooling=t2, scale=scale)
    assert float(value) == pytest.approx(float(expected), rel=1e-6)


def test_location_image_image_contrasts_one_region_across_patients() -> None:
    regions, labels = unit(B, R, D), labels_()
    patients, scale = np.array([0, 1, 1, 2, 0]), 9.0
    rows = []
    for k in range(R):
        for i in range(B):
            if not labels[i, k].any():
                continue
            logits, targets = [], []
            for j in range(B):
                if j != i:
                    logits.append(scale * regions[i, k] @ regions[j, k])
                    targets.append(jaccard(labels[i, k], labels[j, k]) * (patients[i] != patients[j]))
            if MIRROR[k] != k:
                for j in range(B):
                    logits.append(scale * regions[i, k] @ regions[j, MIRROR[k]])
                    targets.append(0.0)
            if sum(targets) > 0:
                rows.append(cross_entropy(logits, targets))
    value = losses.location_image_image(t(regions), t(labels), t(patients), t(MIRROR), torch.tensor(scale))
    assert len(rows) >= 3
    assert float(value) == pytest.approx(float(np.mean(rows)), rel=1e-9)


def test_location_image_text_contrasts_texts_and_images_of_one_region() -> None:
    regions, labels, scale = unit(B, R, D), labels_(), 6.0
    labels[:, 3] = 0  # a region normal in every image, and a text that says so
    text_rows, text_regions = np.array([0, 0, 1, 2, 3, 4]), np.array([0, 2, 0, 1, 0, 3])
    texts, text_labels = unit(6, D), labels[text_rows, text_regions]
    forward = []
    for n in range(6):
        k, far = text_regions[n], MIRROR[text_regions[n]]
        logits = [scale * texts[n] @ regions[j, k] for j in range(B)]
        targets = [jaccard(text_labels[n], labels[j, k]) for j in range(B)]
        if far != k and text_labels[n].any():
            for j in range(B):
                if jaccard(text_labels[n], labels[j, far]) < 1:
                    logits.append(scale * texts[n] @ regions[j, far])
                    targets.append(0.0)
        if sum(targets) > 0:
            forward.append(cross_entropy(logits, targets))
    backward: dict[bool, list[float]] = {True: [], False: []}
    for i in range(B):
        for k in range(R):
            about = [n for n in range(6) if text_regions[n] in (k, MIRROR[k])]
            logits = [scale * regions[i, k] @ texts[n] for n in about]
            targets = [jaccard(labels[i, k], text_labels[n]) * (text_regions[n] == k) for n in about]
            if sum(targets) > 0:
                backward[bool(labels[i, k].any())].append(cross_entropy(logits, targets))
    expected = 0.5 * np.mean(forward) + 0.25 * (np.mean(backward[True]) + np.mean(backward[False]))
    value = losses.location_image_text(
        t(regions), t(labels), t(texts), t(text_labels), t(text_regions), t(MIRROR), torch.tensor(scale)
    )
    assert float(value) == pytest.approx(float(expected), rel=1e-9)


def test_location_text_text_contrasts_sentences_of_one_region() -> None:
    text_regions, patients, scale = np.array([0, 0, 1, 0, 2, 0]), np.array([0, 1, 2, 3, 3, 0]), 6.0
    texts = unit(6, D)
    text_labels = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]], dtype=float)
    rows = []
    for n in range(6):
        others = [
            m for m in range(6) if m != n and text_regions[m] in (text_regions[n], MIRROR[text_regions[n]])
        ]
        if not others:
            continue
        targets = [
            jaccard(text_labels[n], text_labels[m])
            * (text_regions[m] == text_regions[n])
            * (patients[m] != patients[n])
            for m in others
        ]
        if sum(targets) > 0:
            rows.append(cross_entropy([scale * texts[n] @ texts[m] for m in others], targets))
    value = losses.location_text_text(
        t(texts), t(text_labels), t(text_regions), t(patients), t(MIRROR), torch.tensor(scale)
    )
    assert float(value) == pytest.approx(float(np.mean(rows)), rel=1e-9)


def test_a_batch_without_findings_gives_zero_not_nan() -> None:
    regions = t(unit(B, R, D)).requires_grad_()
    empty = torch.zeros(B, R, L, dtype=torch.float64)
    value = losses.location_image_image(regions, empty, torch.arange(B), t(MIRROR), torch.tensor(5.0))
    value.backward()
    assert float(value.detach()) == 0.0
    assert torch.isfinite(regions.grad).all()


@pytest.mark.parametrize("name", ["semantic_global", "region_word", "image_image", "image_text", "text_text"])
def test_gradients_match_finite_differences(name: str) -> None:
    labels, patients = t(labels_()), torch.arange(B)
    scale = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    rows, places = torch.tensor([0, 1, 3, 3]), torch.tensor([0, 0, 0, 1])
    text_labels = labels[rows, places]
    regions = t(unit(B, R, D)).requires_grad_()
    texts = t(unit(4, D)).requires_grad_()
    whole = t(unit(B, D)).requires_grad_()
    words = t(unit(B, T, D)).requires_grad_()
    mask = torch.ones(B, T)
    similarity = t(RNG.random((B, B)))
    mirror = t(MIRROR)
    calls = {
        "semantic_global": (
            lambda v, w, s: losses.semantic_global(v, w, similarity, s),
            (whole, t(unit(B, D)), scale),
        ),
        "region_word": (lambda r, w: losses.region_word(r, w, mask), (regions, words)),
        "image_image": (
            lambda r, s: losses.location_image_image(r, labels, patients, mirror, s),
            (regions, scale),
        ),
        "image_text": (
            lambda r, x, s: losses.location_image_text(r, labels, x, text_labels, places, mirror, s),
            (regions, texts, scale),
        ),
        "text_text": (
            lambda x, s: losses.location_text_text(x, text_labels, places, rows, mirror, s),
            (texts, scale),
        ),
    }
    function, inputs = calls[name]
    assert torch.autograd.gradcheck(function, inputs, eps=1e-6, atol=1e-5)


def weighted(rows: list[tuple[float, float]]) -> float:
    """The mean of (weight, loss) pairs."""
    return sum(w * loss for w, loss in rows) / sum(w for w, _ in rows)


def test_uncertain_labels_weigh_less_as_rows_and_as_positives() -> None:
    regions, labels, scale = unit(B, R, D), labels_(), 6.0
    sure = RNG.choice([0.5, 1.0], (B, R))
    patients = np.arange(B)
    rows = []
    for k in range(R):
        for i in range(B):
            others = [j for j in range(B) if j != i]
            logits = [scale * regions[i, k] @ regions[j, k] for j in others]
            targets = [jaccard(labels[i, k], labels[j, k]) * sure[j, k] for j in others]
            if MIRROR[k] != k:
                logits += [scale * regions[i, k] @ regions[j, MIRROR[k]] for j in range(B)]
                targets += [0.0] * B
            if labels[i, k].any() and sum(targets) > 0:
                rows.append((sure[i, k], cross_entropy(logits, targets)))
    value = losses.location_image_image(
        t(regions), t(labels), t(patients), t(MIRROR), torch.tensor(scale), weights=t(sure)
    )
    assert float(value) == pytest.approx(weighted(rows), rel=1e-9)

    text_rows, text_regions = np.array([0, 0, 1, 2, 3, 4]), np.array([0, 2, 0, 1, 0, 3])
    texts, text_labels = unit(6, D), labels[text_rows, text_regions]
    text_sure = sure[text_rows, text_regions]
    text_to_image, text_to_text = [], []
    image_to_text: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for n, k in enumerate(text_regions):
        logits = [scale * texts[n] @ regions[j, k] for j in range(B)]
        targets = [jaccard(text_labels[n], labels[j, k]) * sure[j, k] for j in range(B)]
        for j in range(B):
            far = labels[j, MIRROR[k]]
            if MIRROR[k] != k and text_labels[n].any() and jaccard(text_labels[n], far) < 1:
                logits.append(scale * texts[n] @ regions[j, MIRROR[k]])
                targets.append(0.0)
        if sum(targets) > 0:
            text_to_image.append((text_sure[n], cross_entropy(logits, targets)))
        others = [m for m in range(6) if m != n and text_regions[m] in (k, MIRROR[k])]
        targets = [
            jaccard(text_labels[n], text_labels[m])
            * (text_regions[m] == k)
            * (text_rows[m] != text_rows[n])
            * text_sure[m]
            for m in others
        ]
        if sum(targets) > 0:
            logits = [scale * texts[n] @ texts[m] for m in others]
            text_to_text.append((text_sure[n], cross_entropy(logits, targets)))
    for i in range(B):
        for k in range(R):
            about = [n for n in range(6) if text_regions[n] in (k, MIRROR[k])]
            targets = [
                jaccard(labels[i, k], text_labels[n]) * (text_regions[n] == k) * text_sure[n] for n in about
            ]
            if sum(targets) > 0:
                logits = [scale * regions[i, k] @ texts[n] for n in about]
                image_to_text[bool(labels[i, k].any())].append((sure[i, k], cross_entropy(logits, targets)))
    given = (t(text_labels), t(text_regions))
    value = losses.location_image_text(
        t(regions), t(labels), t(texts), *given, t(MIRROR), torch.tensor(scale),
        weights=t(sure), text_weights=t(text_sure),
    )  # fmt: skip
    backward = [weighted(rows) for rows in image_to_text.values() if rows]
    assert float(value) == pytest.approx(0.5 * weighted(text_to_image) + 0.25 * sum(backward), rel=1e-9)
    value = losses.location_text_text(
        t(texts), *given, t(text_rows), t(MIRROR), torch.tensor(scale), weights=t(text_sure)
    )
    assert float(value) == pytest.approx(weighted(text_to_text), rel=1e-9)


def test_equal_weights_change_nothing() -> None:
    regions, labels, patients = t(unit(B, R, D)), t(labels_()), torch.arange(B)
    mirror, scale = t(MIRROR), torch.tensor(6.0)
    plain = losses.location_image_image(regions, labels, patients, mirror, scale)
    even = losses.location_image_image(
        regions, labels, patients, mirror, scale, weights=torch.full((B, R), 0.5)
    )
    assert float(even) == pytest.approx(float(plain), rel=1e-9)


def test_gradients_with_weights_match_finite_differences() -> None:
    weights = t(RNG.choice([0.5, 1.0], (B, R)))
    labels, mirror, scale = t(labels_()), t(MIRROR), torch.tensor(4.0)
    assert torch.autograd.gradcheck(
        lambda r: losses.location_image_image(r, labels, torch.arange(B), mirror, scale, weights=weights),
        (t(unit(B, R, D)).requires_grad_(),),
    )
