import shutil
from dataclasses import replace

import pytest

from edge_retrieve.runtime.bundle import (
    Calibration,
    Engine,
    FormParity,
    Fusion,
    FusionWeights,
    Graph,
    GraphForm,
    Precision,
    RoiAlign,
    ScoreCalibration,
    ScoreCurve,
    Sides,
    generate_keys,
    read_signing_key,
    write_bundle,
)


@pytest.fixture
def folder(toy, tmp_path):
    """A whole, unsigned bundle that a test may damage."""
    return shutil.copytree(toy.bundle.path, tmp_path / "bundle")


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    files = generate_keys(tmp_path_factory.mktemp("keys"), "st-anna")
    return read_signing_key(files.private)


@pytest.fixture
def full(folder):
    """A bundle whose manifest has every optional entry but a signature."""
    (folder / "engine.plan").write_bytes(b"engine")
    (folder / "half").mkdir()
    (folder / "half" / "text_encoder.onnx").write_bytes(b"graph")
    manifest = write_bundle(folder, _bare(folder)).manifest
    return write_bundle(
        folder,
        replace(
            manifest,
            forms=(
                GraphForm(Graph.REGION_ENCODER, Precision.FP32, "region_encoder.onnx", 17, RoiAlign.MATMUL),
                GraphForm(
                    Graph.TEXT_ENCODER,
                    Precision.FP16,
                    "half/text_encoder.onnx",
                    18,
                    None,
                    ("norm", "softmax"),
                ),
            ),
            parity=(FormParity(Precision.FP16, True, {"cosine": 0.9999}, {"cosine": 0.9995}),),
            calibration=Calibration("minmax", "200 synthetic phantoms", 200),
            finding_channels=("nodule", "mass"),
            fusion=Fusion(
                FusionWeights(0.3, 0.2, 0.3, 0.2),
                FusionWeights(0.25, 0.25, 0.25, 0.25),
                "200 synthetic phantoms",
            ),
            score_calibration=ScoreCalibration(
                "isotonic",
                "200 synthetic phantoms",
                0.2,
                10,
                (ScoreCurve(Sides.IMAGE, Sides.BOTH, True, 200, (-0.25, 0.5), (0.125, 0.75)),),
            ),
            engines=(
                Engine(
                    "engine.plan", Graph.TEXT_ENCODER, Precision.FP16, "tensorrt-rtx", "1.2.0", ("8.9", "9.0")
                ),
                Engine(
                    "engine.plan", Graph.TEXT_ENCODER, Precision.FP16, "tensorrt", "10.3.0", ("8.7",), "Orin"
                ),
            ),
        ),
    )


def _bare(folder):
    from edge_retrieve.runtime.bundle.parsing import parse_manifest

    return parse_manifest((folder / "manifest.json").read_bytes(), "manifest.json")
