"""What a vision model wants its pixels to be, as its image processor's file says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.model.backbone_folder import read_json

PROCESSOR = "preprocessor_config.json"
_TO_UNIT = 1.0 / 255.0  # the processor's default: stored bytes to 0..1


@dataclass(frozen=True)
class PixelScaling:
    """Display intensity ``p`` in 0..1 becomes ``(p * scale - mean) / std`` in every channel.

    Parameters
    ----------
    mean, std : tuple of float
        One value a channel.
    scale : float
        1 where the model was trained on 0..1 before normalisation, 255 where on bytes.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1.0


def read_scaling(folder: Path, channels: int, where: str) -> PixelScaling:
    """Read the normalisation of a folder's ``preprocessor_config.json``.

    Its resizing and cropping are left aside: images come letterboxed to the model's ``image_size``, whole.

    Parameters
    ----------
    folder : Path
    channels : int
        Channels that the model takes; a radiograph's one is repeated.
    where : str
        Name of the setting, for the error.

    Raises
    ------
    ConfigError
        The file is missing or its values are not usable: a wrong normalisation would ruin a good model
        without a word.
    """
    path = folder / PROCESSOR
    if not path.is_file():
        raise ConfigError(
            f"{folder} has no {PROCESSOR}",
            where=where,
            remedy="Copy it too: it says what pixel values the model was trained on",
        )
    content = read_json(path, where)
    mean, std = (0.0,) * channels, (1.0,) * channels
    if content.get("do_normalize", True):
        mean = _values(content, "image_mean", channels, f"{where}: {path}")
        std = _values(content, "image_std", channels, f"{where}: {path}")
    if min(std) <= 0:
        raise ConfigError(f"image_std has to be above 0, found {list(std)}", where=f"{where}: {path}")
    factor = content.get("rescale_factor", _TO_UNIT) if content.get("do_rescale", True) else 1.0
    if not _is_number(factor) or factor <= 0:
        raise ConfigError(f"rescale_factor is no positive number: {factor!r}", where=f"{where}: {path}")
    return PixelScaling(mean, std, round(float(factor) * 255.0, 9))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _values(content: dict[str, Any], name: str, channels: int, where: str) -> tuple[float, ...]:
    raw = content.get(name)
    values = [raw] if _is_number(raw) else raw
    if not isinstance(values, list) or not values or not all(_is_number(value) for value in values):
        raise ConfigError(f"{name} is no list of numbers: {raw!r}", where=where)
    if len(values) == 1:
        values = values * channels
    if len(values) != channels:
        raise ConfigError(f"{name} has {len(values)} values, the model {channels} channels", where=where)
    return tuple(float(value) for value in values)
