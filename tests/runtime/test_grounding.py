"""The similarity map is, cell by cell, the cosine of a probed window with the phrase."""

from __future__ import annotations

import numpy as np

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.grounding import GRID, WINDOW, similarity_maps


def test_each_cell_is_the_window_around_its_centre(toy) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.random((90, 160), dtype=np.float32)
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        encoding = encoder.encode_image(pixels)
        phrases = encoder.encode_texts(["nodule", "pleural effusion"])
        maps = similarity_maps(encoder, encoding, phrases)
        assert maps.shape == (2, GRID, GRID)
        half = WINDOW * 160 / 2
        for row, column in ((0, 0), (5, 17), (23, 11)):
            x, y = (column + 0.5) / GRID * 160, (row + 0.5) / GRID * 90
            window = encoder.encode_boxes(encoding, [Box(x - half, y - half, x + half, y + half)])[0]
            np.testing.assert_allclose(maps[:, row, column], phrases @ window, atol=1e-5)
