"""A checkpoint becomes a bundle that the runtime opens and that computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tokenizers import Tokenizer

from edge_retrieve.export.forms import FormOptions
from edge_retrieve.export.remake import add_forms
from edge_retrieve.export.to_onnx import export_bundle
from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import Bundle, Precision
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import ExportError, TrainingError
from edge_retrieve.train.checkpoint import TrainedModel, load_trained, save_checkpoint
from edge_retrieve.train.config import parse_config
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.tokenizer import train_tokenizer

CONFIG = parse_config(
    {
        "out": "unused",
        "stages": [{"name": "a", "epochs": 1, "learning_rate": 0.001}],
        "model": {
            "image_size": 128, "widths": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "feature_channels": 16,
            "salience_heads": 4, "projection_width": 32, "embedding_dim": 24, "text_width": 32,
            "text_layers": 1, "text_heads": 2, "max_text_tokens": 32,
        },
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    tokenizer = train_tokenizer(["There is a nodule in the right upper lung zone.", "No effusion."], 100)
    model = RraVl(CONFIG.model, tokenizer.get_vocab_size())
    path = tmp_path_factory.mktemp("run") / "checkpoint.pt"
    state = {"model": model.state_dict(), "ema": model.state_dict(), "optimiser": {}, "epochs_done": 1}
    save_checkpoint(path, CONFIG, tokenizer, state)
    return path


@pytest.fixture(scope="module")
def bundle(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("out") / "bundle"
    return export_bundle(checkpoint, out, model_id="tiny", options=ONLY_FLOAT32)


# An untrained model's embeddings lie so near to each other that which ten are nearest means nothing.
ONLY_FLOAT32 = FormOptions((Precision.FP32,), overlap_studies=0)


def test_the_runtime_computes_what_the_checkpoint_computes(checkpoint: Path, bundle: Bundle) -> None:
    trained = load_trained(checkpoint)
    pixels = np.random.default_rng(0).random((128, 128), dtype=np.float32)
    texts = ["A nodule in the right upper zone.", "effusion"]
    drawn = Box(10.0, 12.0, 50.0, 80.0)
    with Encoder(bundle, Backend.CPU) as encoder:
        encoding = encoder.encode_image(pixels)
        probed = encoder.encode_boxes(encoding, [drawn])
        encoded = encoder.encode_texts(texts)
    with torch.no_grad():
        image = trained.model.encode_image(torch.from_numpy(pixels)[None, None])
        regions = trained.model.encode_regions(image.features, image.boxes)
        box = torch.tensor(drawn.as_tuple()).reshape(1, 1, 4) / 128
        expected = trained.model.encode_regions(image.features, box)
        rows = [trained.tokenizer.encode(text).ids for text in texts]
        words = [trained.model.encode_text(torch.tensor([row]), torch.ones(1, len(row))).text for row in rows]
    assert cosines(encoding.regions, regions[0]).min() >= 0.9999
    assert cosines(encoding.global_embedding[None], image.global_embedding).min() >= 0.9999
    assert cosines(probed, expected[0]).min() >= 0.9999
    assert cosines(encoded, torch.cat(words)).min() >= 0.9999
    found = np.array([box.as_tuple() for box in encoding.boxes]) / 128
    raw = image.boxes[0].numpy()
    # An untrained model may swap a box's edges; the runtime returns such a box as empty.
    tidy = np.concatenate([raw[:, :2], np.maximum(raw[:, :2], raw[:, 2:])], axis=1)
    np.testing.assert_allclose(found, tidy, atol=1e-3)


def cosines(first: np.ndarray, second: torch.Tensor) -> np.ndarray:
    other = second.numpy()
    norms = np.linalg.norm(first, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.asarray((first * other).sum(axis=-1) / norms)


def test_the_manifest_states_parity_and_data(bundle: Bundle) -> None:
    manifest = bundle.manifest
    (parity,) = manifest.parity
    assert parity
    assert parity.precision is manifest.precision is Precision.FP32
    assert parity.figures["cosine_region"] >= parity.bounds["cosine_region"] == 0.99999
    assert "synthetic" in manifest.training_data
    assert manifest.embedding_dim == 24
    Tokenizer.from_file(str(bundle.file(manifest.tokenizer)))


@pytest.mark.parametrize("name", ["image_encoder", "region_encoder", "text_encoder"])
def test_graphs_have_dynamic_axes_and_name_no_path(bundle: Bundle, name: str) -> None:
    raw = bundle.file(f"{name}.onnx").read_bytes()
    graph = onnx.load_from_string(raw).graph
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert b"/work/" not in raw
    assert b"site-packages" not in raw


def test_export_refuses_a_used_folder_and_a_missing_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(ExportError, match="not empty"):
        export_bundle(checkpoint, tmp_path / "used")
    with pytest.raises(TrainingError, match="no such checkpoint"):
        export_bundle(tmp_path / "none.pt", tmp_path / "out")


def test_a_wrong_graph_is_refused(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_weights(path: Path) -> TrainedModel:
        trained = load_trained(path)
        torch.manual_seed(1)
        return TrainedModel(
            RraVl(trained.config.model, trained.tokenizer.get_vocab_size()).eval(),
            trained.tokenizer,
            trained.config,
            1,
        )

    from edge_retrieve.export import to_onnx

    honest = to_onnx.TorchModel
    other = other_weights(checkpoint).model
    monkeypatch.setattr(to_onnx, "TorchModel", lambda model: honest(other))
    with pytest.raises(ExportError, match=r"cosine_global is -?\d\.\d+, \d\S* below 0\.99999"):
        export_bundle(checkpoint, tmp_path / "out", options=ONLY_FLOAT32)
    assert not (tmp_path / "out").exists()


def test_the_opset_and_ir_that_the_oldest_engines_read(bundle: Bundle) -> None:
    for form in bundle.manifest.forms:
        model = onnx.load(str(bundle.file(form.file)))
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
        assert (model.ir_version, form.opset) == (8, 18)


def test_further_forms_are_made_from_a_bundle_and_listed(bundle: Bundle, tmp_path: Path) -> None:
    options = FormOptions((Precision.FP16, Precision.INT8), overlap_studies=0, calibration_samples=4)
    made = add_forms(bundle, tmp_path / "forms", options)
    forms = {(form.graph, form.precision): form for form in made.manifest.forms}
    assert len(forms) == 9
    assert [parity.precision for parity in made.manifest.parity] == list(Precision)
    assert all(made.manifest.parity)
    assert made.manifest.calibration is not None
    assert made.manifest.calibration.samples == 4
    assert made.bundle_id != bundle.bundle_id
    for form in forms.values():
        model = onnx.load(str(made.file(form.file)))
        nodes = {node.name: node.op_type for node in model.graph.node}
        assert set(form.float32_islands) <= nodes.keys()
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
        assert model.ir_version == 8
        assert ("QuantizeLinear" in nodes.values()) == (form.precision is Precision.INT8)
    with pytest.raises(ExportError, match="own graphs are its fp32 form"):
        add_forms(bundle, tmp_path / "again", FormOptions((Precision.FP32,)))


def test_small_weights_make_a_small_bundle_of_the_same_model(checkpoint: Path, tmp_path: Path) -> None:
    options = FormOptions((Precision.FP32,), small=True, overlap_studies=0)
    small = export_bundle(checkpoint, tmp_path / "small", options=options)
    (parity,) = small.manifest.parity
    assert parity.bounds["cosine_region"] == 0.9999
    kinds = {tensor.data_type for tensor in onnx.load(str(small.file("text_encoder.onnx"))).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds
