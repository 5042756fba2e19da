"""A phantom as its console would show it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_retrieve.train.phantom.spec import PhantomImage


def display_values(image: PhantomImage) -> npt.NDArray[np.float32]:
    """Apply a phantom's window: stored values [H, W] to display intensity 0 to 1 (DICOM PS3.3 C.11.2.1.2)."""
    low = image.window_center - 0.5 - (image.window_width - 1) / 2
    shown = (image.pixels.astype(np.float32) - np.float32(low)) / np.float32(image.window_width - 1)
    return np.asarray(np.clip(shown, 0.0, 1.0))
