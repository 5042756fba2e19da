"""Proof that exported graphs compute what the checkpoint computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from edge_retrieve.train.checkpoint import TrainedModel
from edge_retrieve.train.phantom.display import display_values
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.reports import write_report
from edge_retrieve.train.phantom.sampling import Split, sample_archive
from edge_retrieve.train.tokenizer import tokenize

COSINE_BOUND = 0.9999
_STUDIES = 8

_Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ParityReport:
    """How far the graphs are from the checkpoint; true where every bound holds.

    Parameters
    ----------
    cosine : mapping of str to float
        Smallest cosine similarity between the two forms, per kind of embedding.
    box_error : float
        Largest box edge difference, fractions of the square.
    """

    cosine: dict[str, float]
    box_error: float
    bound: float = COSINE_BOUND

    def __bool__(self) -> bool:
        return min(self.cosine.values()) >= self.bound

    def __str__(self) -> str:
        parts = [f"{name} cosine {value:.7f}" for name, value in self.cosine.items()]
        return f"{', '.join(parts)}, box error {self.box_error:.2e} (bound: cosine {self.bound})"

    def figures(self) -> dict[str, float]:
        """Return the figures as they stand in a manifest."""
        named = {f"parity_cosine_{name}": value for name, value in self.cosine.items()}
        return {**named, "parity_box_error": self.box_error}


def cosine_floor(first: _Array, second: _Array) -> float:
    """Return the smallest cosine similarity between matching rows of two arrays [..., D]."""
    dot = (first * second).sum(axis=-1)
    norms = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return float((dot / np.maximum(norms, 1e-12)).min())


def measure_parity(trained: TrainedModel, folder: Path) -> ParityReport:
    """Compare a checkpoint with the graphs in a folder, on phantoms, odd pixels, odd boxes and reports.

    Parameters
    ----------
    trained : TrainedModel
    folder : Path
        Holds ``image_encoder.onnx``, ``region_encoder.onnx`` and ``text_encoder.onnx``.
    """
    config = trained.config.model
    plan = sample_archive(_STUDIES, 990_001, split=Split.TEST)
    shown = [display_values(render(study.spec, config.image_size)) for study in plan]
    constant = [np.full((config.image_size,) * 2, level, dtype=np.float32) for level in (0.0, 1.0)]
    noise = np.random.default_rng(0).random((config.image_size,) * 2, dtype=np.float32)
    pixels = np.stack([*shown, *constant, noise])[:, None]
    reports = [write_report(study.spec, rng_seed=study.spec.study_seed, held_out=True) for study in plan]
    ids, mask = tokenize(trained.tokenizer, [*reports, "nodule", "?"], config.max_text_tokens)
    with torch.no_grad():
        image = trained.model.encode_image(torch.from_numpy(pixels))
        odd = torch.tensor(
            [[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5], [-0.3, 0.8, 1.4, 1.2], [0.9, 0.1, 0.3, 0.2]]
        )
        boxes = torch.cat([image.boxes, odd.expand(len(pixels), -1, -1)], dim=1)
        regions = trained.model.encode_regions(image.features, boxes)
        text = trained.model.encode_text(torch.from_numpy(ids), torch.from_numpy(mask))
    sessions = {
        name: onnxruntime.InferenceSession(folder / f"{name}.onnx", providers=["CPUExecutionProvider"])
        for name in ("image_encoder", "region_encoder", "text_encoder")
    }
    features, whole, found, _ = sessions["image_encoder"].run(None, {"pixels": pixels})
    probed = sessions["region_encoder"].run(None, {"features": features, "boxes": boxes.numpy()})[0]
    words, texts = sessions["text_encoder"].run(None, {"token_ids": ids, "mask": mask})
    present = mask.astype(bool)
    return ParityReport(
        cosine={
            "global": cosine_floor(whole, image.global_embedding.numpy()),
            "region": cosine_floor(probed, regions.numpy()),
            "word": cosine_floor(words[present], text.words.numpy()[present]),
            "text": cosine_floor(texts, text.text.numpy()),
        },
        box_error=float(np.abs(found - image.boxes.numpy()).max()),
    )
