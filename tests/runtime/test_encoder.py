from pathlib import Path

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Box
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import Bundle
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import BackendError, BundleError, QueryError


@pytest.fixture(scope="module")
def encoder(toy):
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        yield encoder


def as_pixels(picture):
    return picture.astype(np.float32) / np.float32(255)


def test_image_embeddings_equal_the_hand_computation(toy, encoder):
    picture = toy.picture(1, right_lung=0.9, carina=0.6)
    encoding = encoder.encode_image(as_pixels(picture))
    np.testing.assert_allclose(encoding.regions, toy.regions(picture), atol=1e-5)
    np.testing.assert_allclose(encoding.global_embedding, toy.whole(picture), atol=1e-5)
    assert encoding.boxes == tuple(toy.region_box(region) for region in REGIONS)
    np.testing.assert_allclose(encoding.box_scores, 0.9)


def test_a_batch_equals_its_images_one_by_one(toy, encoder):
    images = [as_pixels(toy.picture(seed, spine=seed / 20)) for seed in range(11)]
    images[3] = np.ascontiguousarray(images[3][:, :40])  # another shape in the same batch
    for image, batched in zip(
        images, encoder.encode_prepared([encoder.prepare(image) for image in images]), strict=True
    ):
        alone = encoder.encode_image(image)
        np.testing.assert_allclose(batched.regions, alone.regions, atol=1e-6)
        assert batched.boxes == alone.boxes


def test_boxes_are_in_pixels_of_the_source_and_inside_it(encoder):
    wide = encoder.encode_image(np.full((128, 256), 0.5, np.float32))
    # The square holds the image scaled by 1/4 with 16 rows of black above: region 16 is cell (2, 0).
    assert wide.boxes[16].as_tuple() == pytest.approx((0, 0, 32, 32))
    assert wide.boxes[0].area == 0  # wholly in the black border
    assert all(0 <= box.x1 <= box.x2 <= 256 and 0 <= box.y1 <= box.y2 <= 128 for box in wide.boxes)


def test_a_drawn_box_equals_the_hand_computation(toy, encoder):
    picture = toy.picture(2, trachea=0.8)
    encoding = encoder.encode_image(as_pixels(picture))
    boxes = [Box(0, 0, 16, 24), Box(8, 16, 64, 64)]
    expected = np.stack([toy.box(picture, box) for box in boxes])
    np.testing.assert_allclose(encoder.encode_boxes(encoding, boxes), expected, atol=1e-5)
    assert encoder.encode_boxes(encoding, []).shape == (0, 8)


def test_text_embeddings_equal_the_hand_computation_whatever_shares_the_batch(toy, encoder):
    texts = ["Nodule in the right upper lung zone.", "normal", "the heart is unheardof ."]
    expected = np.stack([toy.text(text) for text in texts])
    np.testing.assert_allclose(encoder.encode_texts(texts), expected, atol=1e-5)
    assert encoder.encode_texts([]).shape == (0, 8)


def test_texts_beyond_the_limit_are_cut(toy, encoder):
    long = " ".join(["nodule"] * 64 + ["effusion"] * 50)
    np.testing.assert_allclose(encoder.encode_texts([long])[0], toy.text("nodule"), atol=1e-5)


def test_a_blank_text_is_refused(encoder):
    with pytest.raises(QueryError, match="a text is empty"):
        encoder.encode_texts(["normal", "  "])


def test_a_tokenizer_that_does_not_load_is_named(toy, tmp_path):
    for source in toy.bundle.path.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError, match=r"tokenizer\.json: the tokenizer cannot be loaded"):
        Encoder(Bundle(tmp_path, toy.bundle.manifest, "x"), Backend.CPU)


def test_a_graph_that_promises_other_outputs_is_named(toy, tmp_path):
    for source in toy.bundle.path.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    from dataclasses import replace

    bundle = Bundle(Path(tmp_path), replace(toy.bundle.manifest, embedding_dim=16), "x")
    with (
        Encoder(bundle, Backend.CPU, threads=1) as encoder,
        pytest.raises(BackendError, match=r"the manifest promises \(1, 16\)"),
    ):
        encoder.encode_image(np.full((64, 64), 0.5, np.float32))


def test_pixels_that_are_not_numbers_do_not_become_embeddings(encoder):
    with pytest.raises(BackendError, match="not finite"):
        encoder.encode_image(np.full((64, 64), np.nan, np.float32))


def test_a_closed_encoder_says_so(toy):
    encoder = Encoder(toy.bundle, Backend.CPU, threads=1)
    encoder.close()
    with pytest.raises(BackendError, match="the runner is closed"):
        encoder.encode_texts(["normal"])
