"""A model in memory as an encoder, and with it phantoms end to end: rendered, encoded, kept, read back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.encoder import PreparedImage
from edge_retrieve.runtime.errors import ArchiveError, ConfigError
from edge_retrieve.runtime.preprocess import letterbox
from edge_retrieve.train.config import ModelConfig
from edge_retrieve.train.evaluate.archive import encode_archive, encode_archives
from edge_retrieve.train.evaluate.grounding import Versus
from edge_retrieve.train.evaluate.phantom import evaluate_phantom
from edge_retrieve.train.evaluate.saved import load_phantoms, save_phantoms
from edge_retrieve.train.evaluate.torch_encoder import TorchEncoder
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.tokenizer import tokenize, train_tokenizer

TEXTS = ["Nodule in the right upper lung zone.", "No pleural effusion.", "Clear."]


def make_encoder(model: ModelConfig, seed: int) -> TorchEncoder:
    tokenizer = train_tokenizer(TEXTS, 100)
    torch.manual_seed(seed)
    return TorchEncoder(RraVl(model, tokenizer.get_vocab_size()), tokenizer, name=f"model-{seed}")


@pytest.fixture(scope="module")
def encoders(tiny_model):
    return [make_encoder(tiny_model, seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def phantoms(encoders):
    return encode_archives(encoders, studies=8, seed=5, workers=1)


def test_images_boxes_and_texts_equal_the_models_own(encoders) -> None:
    encoder = encoders[0]
    model = encoder._model
    pixels = np.random.default_rng(0).random((90, 160), dtype=np.float32)
    square, mapping = letterbox(pixels, encoder.image_size)
    encoding = encoder.encode_prepared([PreparedImage(square, mapping, width=160, height=90)])[0]
    with torch.no_grad():
        out = model.encode_image(torch.from_numpy(square)[None])
        regions = model.encode_regions(out.features, out.boxes)[0].numpy()
    np.testing.assert_allclose(encoding.regions, regions, atol=1e-6)
    np.testing.assert_allclose(encoding.global_embedding, out.global_embedding[0].numpy(), atol=1e-6)
    # A whole region probed by its own box, unless that was clipped at the image's edge, is the region.
    box = mapping.to_source(Box(*(out.boxes[0, 4] * encoder.image_size).tolist()))
    np.testing.assert_allclose(encoder.encode_boxes(encoding, [box])[0], regions[4], atol=1e-5)
    with torch.no_grad():
        for text, found in zip(TEXTS, encoder.encode_texts(TEXTS), strict=True):
            ids, mask = tokenize(encoder._tokenizer, [text], model.config.max_text_tokens)
            expected = model.encode_text(torch.from_numpy(ids), torch.from_numpy(mask)).text[0]
            np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_several_models_are_encoded_as_each_alone(encoders, phantoms) -> None:
    # A shorter archive is the beginning of a longer one.
    alone = encode_archive(encoders[1], studies=3, seed=5, workers=1).archive
    together = phantoms[1].archive
    for name in ("regions", "whole", "region_texts", "reports", "prior_regions"):
        np.testing.assert_allclose(getattr(together, name)[:3], getattr(alone, name), atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(together.truth[:3], alone.truth)
    assert not np.allclose(phantoms[0].archive.regions, together.regions)
    np.testing.assert_array_equal(phantoms[0].archive.truth, together.truth)


def test_boxes_and_phrases_of_phantoms_are_measured(phantoms) -> None:
    boxes, phrases = phantoms[0].boxes, phantoms[0].phrases
    assert boxes.true.shape == (8, 29, 4)
    assert ((boxes.true >= 0) & (boxes.true <= 1)).all()
    assert len(phrases) > 0
    for versus in Versus:
        assert np.isfinite(phrases.mean(versus)).all()
    # The reports are the phantoms' own: what they state is what is there.
    assert (phantoms[0].stated == phantoms[0].archive.truth).mean() > 0.99


def test_a_saved_encoding_comes_back_whole(phantoms, tmp_path) -> None:
    save_phantoms(tmp_path, "model-0", 8, 5, phantoms[0])
    loaded = load_phantoms(tmp_path, "model-0", 8, 5)
    for name, expected in phantoms[0].archive.arrays().items():
        np.testing.assert_array_equal(loaded.archive.arrays()[name], expected, err_msg=name)
    assert loaded.archive.said == phantoms[0].archive.said
    assert loaded.archive.written == phantoms[0].archive.written
    np.testing.assert_array_equal(loaded.phrases.values, phantoms[0].phrases.values)
    np.testing.assert_array_equal(loaded.boxes.found, phantoms[0].boxes.found)
    assert load_phantoms(tmp_path, "model-1", 8, 5) is None
    assert load_phantoms(tmp_path, "model-0", 8, 6) is None


def test_an_encoding_that_does_not_fit_is_refused(phantoms, tmp_path, monkeypatch) -> None:
    path = save_phantoms(tmp_path, "model-0", 8, 5, phantoms[0])
    monkeypatch.setattr("edge_retrieve.train.evaluate.saved.renderer_digest", lambda: "another")
    with pytest.raises(ArchiveError, match="another version of the phantoms"):
        load_phantoms(tmp_path, "model-0", 8, 5)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ArchiveError, match="cannot be read"):
        load_phantoms(tmp_path, "model-0", 8, 5)


def test_an_archive_too_small_to_ask_is_told(encoders, phantoms, tmp_path) -> None:
    save_phantoms(tmp_path, encoders[0].bundle_id, 8, 5, phantoms[0])
    with pytest.raises(ConfigError, match="Use more studies"):
        evaluate_phantom(encoders[0], studies=8, seeds=[5], workers=1, encoded=tmp_path)
