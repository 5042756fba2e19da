"""Which file is opened for which precision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import (
    FormParity,
    Graph,
    GraphForm,
    Manifest,
    Precision,
    PrecisionChoice,
    form_file,
)
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import BundleError

HALF = GraphForm(Graph.IMAGE_ENCODER, Precision.FP16, "image_encoder.fp16.onnx", 18)


@pytest.fixture
def manifest(toy) -> Manifest:
    return replace(
        toy.bundle.manifest, forms=(HALF,), parity=(FormParity(Precision.FP16, True, {"a": 1.0}, {}),)
    )


def test_the_precision_that_is_asked_for_is_opened(manifest: Manifest) -> None:
    assert form_file(manifest, Graph.IMAGE_ENCODER, PrecisionChoice.FP16) == HALF.file
    assert form_file(manifest, Graph.IMAGE_ENCODER, PrecisionChoice.FP32) == "image_encoder.onnx"


def test_auto_takes_what_suits_where_it_is_there_and_proved(manifest: Manifest) -> None:
    def auto(of: Manifest, suits: Precision | None) -> str:
        return form_file(of, Graph.IMAGE_ENCODER, suits=suits)

    assert auto(manifest, None) == "image_encoder.onnx"
    assert auto(manifest, Precision.FP16) == HALF.file
    assert auto(manifest, Precision.INT8) == "image_encoder.onnx"
    failed = replace(manifest, parity=(FormParity(Precision.FP16, False, {"a": 0.0}, {"a": 1.0}),))
    assert auto(failed, Precision.FP16) == "image_encoder.onnx"


def test_a_form_that_is_not_there_is_refused_with_what_is(toy, manifest: Manifest) -> None:
    with pytest.raises(BundleError, match=r"no int8 form of image_encoder \(it holds fp32, fp16\)"):
        form_file(manifest, Graph.IMAGE_ENCODER, PrecisionChoice.INT8)
    with pytest.raises(BundleError, match="export forms"):
        Encoder(toy.bundle, Backend.CPU, precision=PrecisionChoice.INT8)
