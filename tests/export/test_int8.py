"""A graph in int8 computes nearly the same; layers that are left out compute exactly the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edge_retrieve.export.int8 import quantisable, restored, to_int8
from edge_retrieve.export.storage import store_small, widened
from edge_retrieve.runtime.bundle import DEMO_BUNDLE


@pytest.fixture(scope="module")
def text_encoder() -> onnx.ModelProto:
    stored = onnx.load(str(Path(DEMO_BUNDLE) / "text_encoder.onnx"))
    return onnx.shape_inference.infer_shapes(widened(stored))


def feeds(seed: int, count: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [
        {"token_ids": rng.integers(1, 400, (1, 16)), "mask": np.ones((1, 16), np.int64)} for _ in range(count)
    ]


@pytest.fixture(scope="module")
def quantised(text_encoder: onnx.ModelProto) -> onnx.ModelProto:
    return to_int8(text_encoder, feeds(0, 6))


def texts(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["text"], each)[0] for each in feeds(1, 4)])


def test_it_computes_nearly_the_same_in_a_byte_a_weight(text_encoder, quantised) -> None:
    cosines = (texts(quantised) * texts(text_encoder)).sum(axis=-1)
    assert 0.99 <= cosines.min() < 1.0
    kinds = {tensor.name: tensor.data_type for tensor in quantised.graph.initializer}
    layers = [node for node in text_encoder.graph.node if node.name in quantisable(text_encoder)]
    assert layers
    assert not {node.input[1] for node in layers} & kinds.keys()
    assert quantised.opset_import == text_encoder.opset_import


def test_with_all_layers_left_out_it_is_the_original(text_encoder, quantised) -> None:
    names = quantisable(text_encoder)
    mended = restored(quantised, text_encoder, frozenset(names))
    assert not any(node.op_type == "QuantizeLinear" for node in mended.graph.node)
    np.testing.assert_allclose(texts(mended), texts(text_encoder), atol=1e-6)


def test_each_layer_left_out_brings_its_weights_back(text_encoder, quantised) -> None:
    names = quantisable(text_encoder)
    half = restored(quantised, text_encoder, frozenset(names[: len(names) // 2]))
    assert quantised.ByteSize() < half.ByteSize() < text_encoder.ByteSize()


def test_the_layer_that_reads_the_pixels_stays_float32() -> None:
    stored = onnx.load(str(Path(DEMO_BUNDLE) / "image_encoder.onnx"))
    model = onnx.shape_inference.infer_shapes(widened(stored))
    layers = [node.name for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    first, second = layers[:2]
    chosen = quantisable(model)
    assert first not in chosen
    assert second in chosen


def test_weights_stored_small_are_the_same_weights_when_widened(text_encoder) -> None:
    small = store_small(text_encoder)
    assert small.ByteSize() < 0.6 * text_encoder.ByteSize()
    session = texts(small)
    np.testing.assert_array_equal(session, texts(widened(small)))
    assert widened(text_encoder).SerializeToString() == text_encoder.SerializeToString()
