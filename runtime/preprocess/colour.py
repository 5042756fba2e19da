"""Reducing colour pictures to grey."""

from __future__ import annotations

import numpy as np

from edge_retrieve.runtime.preprocess.types import FloatImage, UIntImage

# ITU-R BT.601 luma, what Pillow and the JPEG format itself use.
LUMA = (0.299, 0.587, 0.114)

# Chroma left in a grey picture by JPEG stays below this; a coloured mark or a photograph does not.
CHANNEL_SPREAD = 16 / 255
COLOURED_FRACTION = 0.001


def to_grey(channels: UIntImage) -> tuple[FloatImage, bool]:
    """Return luminance 0 to 1 and whether the picture has real colour.

    Parameters
    ----------
    channels : uint8 or uint16 array of shape [H, W, 3]
        Red, green, blue.

    Returns
    -------
    pixels : float32 array of shape [H, W]
    coloured : bool
        True where more than 0.1 % of the pixels have channels more than 16/255 apart.
    """
    full = float(np.iinfo(channels.dtype).max)
    spread = channels.max(axis=2) - channels.min(axis=2)
    if not spread.any():
        return channels[..., 0].astype(np.float32) / np.float32(full), False
    grey = np.zeros(channels.shape[:2], dtype=np.float32)
    for channel, weight in enumerate(LUMA):
        grey += channels[..., channel].astype(np.float32) * np.float32(weight / full)
    coloured = float(np.mean(spread > CHANNEL_SPREAD * full)) > COLOURED_FRACTION
    return np.clip(grey, 0.0, 1.0), coloured
