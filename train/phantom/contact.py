"""Contact sheets: many phantoms in one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_retrieve.train.phantom.display import display_values
from edge_retrieve.train.phantom.spec import PhantomImage


def windowed(image: PhantomImage) -> npt.NDArray[np.uint8]:
    """Return an image through its window, 8 bits, shape [H, W]."""
    return np.asarray(np.round(display_values(image) * 255), dtype=np.uint8)


def contact_sheet(images: Sequence[PhantomImage], columns: int) -> npt.NDArray[np.uint8]:
    """Return images side by side, row by row, with a thin black gap.

    Parameters
    ----------
    images : sequence of PhantomImage
        All of one size.
    columns : int

    Returns
    -------
    uint8 array of shape [rows * (H + 2), columns * (W + 2)]

    Raises
    ------
    ValueError
        There is no image, or `columns` is below 1.
    """
    if not images or columns < 1:
        raise ValueError("a contact sheet needs at least one image and one column")
    tiles = [np.pad(windowed(image), 1) for image in images]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)
