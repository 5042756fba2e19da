"""A toy model whose every number can be computed by hand, as a bundle on disk.

The image encoder takes a 64 x 64 square. Channel c < 7 of its features is the mean of
``relu(pixel - c / 7)`` over an 8 x 8 cell, channel 7 is 1. Region n is the cell in row n // 8, column
n % 8. The region encoder averages features over a box by exact area; the text encoder averages a table
row per token. All embeddings are brought to unit length.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.bundle import Bundle, Manifest, inspect_bundle, write_bundle

SIDE, CELL, DIM = 64, 8, 8
VOCABULARY = """[PAD] [UNK] right left lung upper mid lower zone nodule in the is a consolidation normal heart
size no pleural effusion pneumothorax mass enlarged lungs are clear there apical small large of ."""
WORDS = VOCABULARY.split()

FloatArray = npt.NDArray[np.float32]


def unit(vectors: npt.NDArray[np.floating]) -> FloatArray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Toy:
    """The toy model's independent computation in NumPy, and pictures to feed it."""

    bundle: Bundle
    table: FloatArray

    def picture(self, seed: int, **bright: float) -> npt.NDArray[np.uint8]:
        """A noisy dark picture; keywords (``right_lung=0.9``) set the mean intensity of regions."""
        noise = np.random.default_rng(seed)
        pixels = noise.uniform(0.1, 0.4, (SIDE, SIDE))
        for name, level in bright.items():
            box = self.region_box(Region(name.replace("_", " ")))
            rows, columns = slice(int(box.y1), int(box.y2)), slice(int(box.x1), int(box.x2))
            pixels[rows, columns] = level + noise.uniform(-0.02, 0.02, (CELL, CELL))
        return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)

    def save(self, path: Path, seed: int, report: str | None = None, **bright: float) -> Path:
        """Write a picture, and its report beside it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(self.picture(seed, **bright)).save(path)
        if report is not None:
            path.with_suffix(".txt").write_text(report)
        return path

    def region_box(self, region: Region) -> Box:
        row, column = divmod(region.position, SIDE // CELL)
        return Box(column * CELL, row * CELL, (column + 1) * CELL, (row + 1) * CELL)

    def box(self, picture: npt.NDArray[np.uint8], box: Box) -> FloatArray:
        """Embedding of a box whose edges are multiples of the cell."""
        part = picture[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)].astype(np.float64) / 255
        return unit(np.asarray([*(np.maximum(part - c / 7, 0).mean() for c in range(7)), 1.0]))

    def regions(self, picture: npt.NDArray[np.uint8]) -> FloatArray:
        return np.stack([self.box(picture, self.region_box(region)) for region in REGIONS])

    def whole(self, picture: npt.NDArray[np.uint8]) -> FloatArray:
        return self.box(picture, Box(0, 0, SIDE, SIDE))

    def text(self, text: str) -> FloatArray:
        words = text.lower().replace(".", " . ").split()
        return unit(self.table[[WORDS.index(w) if w in WORDS else 1 for w in words]].mean(axis=0))


def build_toy(folder: Path) -> Toy:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def save(name: str, nodes: list, inputs: dict, outputs: dict, constants: dict) -> None:
        def values(described: dict) -> list:
            return [
                helper.make_tensor_value_info(key, kind, shape) for key, (kind, shape) in described.items()
            ]

        graph = helper.make_graph(
            nodes,
            name,
            values(inputs),
            values(outputs),
            [numpy_helper.from_array(array, key) for key, array in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, str(folder / name))

    node, number, integer = helper.make_node, TensorProto.FLOAT, TensorProto.INT64
    folder.mkdir(parents=True)
    boxes = np.zeros((1, 29, 4), np.float32)
    for n in range(29):
        row, column = divmod(n, SIDE // CELL)
        boxes[0, n] = np.asarray([column, row, column + 1, row + 1]) * CELL / SIDE
    steps = np.asarray([*(-c / 7 for c in range(7)), 1.0], np.float32)
    save(
        "image_encoder.onnx",
        [
            node("Conv", ["pixels", "weight", "bias"], ["levels"], kernel_shape=[1, 1]),
            node("Relu", ["levels"], ["positive"]),
            node("AveragePool", ["positive"], ["features"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
            node("ReduceMean", ["features"], ["mean"], axes=[2, 3], keepdims=0),
            node("LpNormalization", ["mean"], ["global"], axis=-1, p=2),
            node("Shape", ["pixels"], ["batch"], start=0, end=1),
            node("Concat", ["batch", "tail3"], ["shape3"], axis=0),
            node("Expand", ["cells", "shape3"], ["boxes"]),
            node("Concat", ["batch", "tail2"], ["shape2"], axis=0),
            node("Expand", ["sure", "shape2"], ["box_scores"]),
        ],
        {"pixels": (number, ["B", 1, SIDE, SIDE])},
        {
            "features": (number, ["B", DIM, SIDE // CELL, SIDE // CELL]),
            "global": (number, ["B", DIM]),
            "boxes": (number, ["B", 29, 4]),
            "box_scores": (number, ["B", 29]),
        },
        {
            "weight": np.asarray([1] * 7 + [0], np.float32).reshape(8, 1, 1, 1),
            "bias": steps,
            "cells": boxes,
            "sure": np.full((1, 29), 0.9, np.float32),
            "tail3": np.asarray([29, 4]),
            "tail2": np.asarray([29]),
        },
    )
    edges = np.arange(SIDE // CELL, dtype=np.float32) / (SIDE // CELL)

    def overlap(low: str, high: str, out: str) -> list:
        return [
            node("Min", [high, "ends"], [f"{out}_high"]),
            node("Max", [low, "starts"], [f"{out}_low"]),
            node("Sub", [f"{out}_high", f"{out}_low"], [f"{out}_length"]),
            node("Relu", [f"{out}_length"], [out]),
        ]

    save(
        "region_encoder.onnx",
        [
            node("Split", ["boxes", "ones"], ["x1", "y1", "x2", "y2"], axis=2),
            *overlap("x1", "x2", "across"),
            *overlap("y1", "y2", "down"),
            node("Einsum", ["across", "down", "features"], ["sums"], equation="brx,bry,bcyx->brc"),
            node("LpNormalization", ["sums"], ["regions"], axis=-1, p=2),
        ],
        {
            "features": (number, ["B", DIM, SIDE // CELL, SIDE // CELL]),
            "boxes": (number, ["B", "R", 4]),
        },
        {"regions": (number, ["B", "R", DIM])},
        {
            "ones": np.ones(4, np.int64),
            "starts": edges.reshape(1, 1, -1),
            "ends": (edges + np.float32(CELL / SIDE)).reshape(1, 1, -1),
        },
    )
    table = np.random.default_rng(7).normal(size=(len(WORDS), DIM)).astype(np.float32)
    save(
        "text_encoder.onnx",
        [
            node("Gather", ["table", "token_ids"], ["words"], axis=0),
            node("Cast", ["mask"], ["weights"], to=number),
            node("Einsum", ["words", "weights"], ["sums"], equation="btd,bt->bd"),
            node("LpNormalization", ["sums"], ["text"], axis=-1, p=2),
        ],
        {"token_ids": (integer, ["B", "T"]), "mask": (integer, ["B", "T"])},
        {"words": (number, ["B", "T", DIM]), "text": (number, ["B", DIM])},
        {"table": table},
    )
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {w: n for n, w in enumerate(WORDS)}, "unk_token": "[UNK]"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    bundle = write_bundle(
        folder,
        Manifest(
            model_id="toy 1",
            image_size=SIDE,
            embedding_dim=DIM,
            feature_channels=DIM,
            feature_stride=CELL,
            max_text_tokens=64,
            training_data="none: every weight is set by hand",
        ),
    )
    return Toy(bundle, table)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The toy bundle, shared and never to be changed; copy its folder to damage it."""
    built = build_toy(tmp_path_factory.mktemp("toy") / "bundle")
    assert inspect_bundle(built.bundle.path).bundle_id == built.bundle.bundle_id
    return built


@pytest.fixture(scope="session")
def turned_toy(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose text embeddings are those of the toy, turned about: no vector stays what it was."""
    import onnx
    from onnx import numpy_helper

    folder = tmp_path_factory.mktemp("turned") / "bundle"
    shutil.copytree(toy.bundle.path, folder)
    (folder / "manifest.json").unlink()
    path = str(folder / "text_encoder.onnx")
    model = onnx.load(path)
    (table,) = [tensor for tensor in model.graph.initializer if tensor.name == "table"]
    table.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(toy.table[:, ::-1]), "table"))
    onnx.save(model, path)
    return write_bundle(folder, replace(toy.bundle.manifest, model_id="toy 2"))
