from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.contact import contact_sheet, windowed
from edge_retrieve.train.phantom.spec import PhantomImage


def flat(value: int) -> PhantomImage:
    pixels = np.full((4, 6), value, np.uint16)
    lungs = np.zeros((2, 4, 6), np.bool_)
    return PhantomImage(pixels, 1000.0, 2000.0, {}, (), View.PA, "F", 40, lungs)


def test_the_window_maps_its_ends_to_black_and_white() -> None:
    assert windowed(flat(0))[0, 0] == 0
    assert windowed(flat(1000))[0, 0] == 128
    assert windowed(flat(2000))[0, 0] == 255
    assert windowed(flat(4095))[0, 0] == 255


def test_images_fill_the_sheet_row_by_row() -> None:
    sheet = contact_sheet([flat(0), flat(1000), flat(2000)], 2)
    assert sheet.shape == (2 * 6, 2 * 8)
    assert sheet.dtype == np.uint8
    assert sheet[2, 2] == 0
    assert sheet[2, 10] == 128
    assert sheet[8, 2] == 255
    assert not sheet[6:, 8:].any()


@pytest.mark.parametrize(("count", "columns"), [(0, 3), (2, 0)])
def test_an_empty_sheet_is_refused(count: int, columns: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([flat(0)] * count, columns)
