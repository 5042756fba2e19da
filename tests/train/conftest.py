"""A corpus and a configuration small enough to train in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_retrieve.train.config import (
    LossWeights,
    ModelConfig,
    StageConfig,
    TokenizerConfig,
    TrainConfig,
)
from edge_retrieve.train.datasets.corpus import Corpus, LesionMasks, supervise

TINY_MODEL = ModelConfig(
    image_size=64,
    widths=(8, 8, 16, 16),
    depths=(1, 1, 1, 1),
    feature_channels=16,
    salience_heads=4,
    projection_width=16,
    embedding_dim=16,
    text_width=16,
    text_layers=1,
    text_heads=2,
    max_text_tokens=48,
)
REPORTS = (
    "FINDINGS: There is a nodule in the right upper lung. The heart is normal in size. IMPRESSION: Nodule.",
    "FINDINGS: The lungs are clear. No pleural effusion or pneumothorax. IMPRESSION: No acute disease.",
    "FINDINGS: Small left pleural effusion. The heart is enlarged. IMPRESSION: Left pleural effusion.",
    "FINDINGS: Consolidation in the left lower lung zone. No pneumothorax. IMPRESSION: Pneumonia.",
)


def make_corpus(studies: int = 24) -> Corpus:
    generator = np.random.default_rng(1)
    reports = [REPORTS[n % len(REPORTS)] for n in range(studies)]
    corners = np.sort(generator.random((studies, 29, 2, 2), dtype=np.float32), axis=2)
    labels, region_texts = supervise(reports)
    return Corpus(
        pixels=generator.integers(0, 256, (studies, 64, 64), dtype=np.uint8),
        boxes=corners.reshape(studies, 29, 4),
        patients=np.arange(studies) // 2,
        reports=reports,
        labels=labels,
        region_texts=region_texts,
        lesions=LesionMasks(
            studies=np.arange(0, studies, 2),
            findings=np.zeros(len(range(0, studies, 2)), dtype=np.int64),
            masks=generator.integers(0, 2, (len(range(0, studies, 2)), 64, 64), dtype=np.uint8) * 255,
        ),
        lungs=generator.integers(0, 2, (studies, 2, 64, 64), dtype=np.uint8) * 255,
    )


def make_config(out: Path) -> TrainConfig:
    everything = LossWeights(1.0, 0.5, 1.0, 1.0, 0.5, 5.0, 0.5, 1.0, 1.0, 1.0)
    return TrainConfig(
        out=str(out),
        model=TINY_MODEL,
        tokenizer=TokenizerConfig(vocabulary=200),
        batch=8,
        warmup_steps=2,
        bfloat16=False,
        threads=1,
        stages=(
            StageConfig("align", 1, 0.001),
            StageConfig("locate", 2, 0.001, weights=everything, predicted_boxes=0.5),
        ),
    )


@pytest.fixture(scope="session")
def tiny_model() -> ModelConfig:
    return TINY_MODEL


@pytest.fixture
def corpus() -> Corpus:
    return make_corpus()


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return make_config(tmp_path / "run")
