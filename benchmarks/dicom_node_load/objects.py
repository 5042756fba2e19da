"""Copies of a few rendered phantoms, each with identifiers and pixels of its own, some of them damaged."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom import uid

_MODELS = 4  # phantoms rendered
_DAMAGES = ("truncated", "garbage", "empty", "hand", "blank", "scrambled")


@dataclass(frozen=True)
class SentObject:
    """An object to send.

    Parameters
    ----------
    path : Path
    instance, study : str
    damage : str
        What is wrong with it; empty for a sound one.
    """

    path: Path
    instance: str
    study: str
    damage: str


def make_objects(
    folder: Path, count: int, malformed: int, spared: int, pixels: int, seed: int
) -> list[SentObject]:
    """Write objects; the damaged ones are spread over all but the first.

    Parameters
    ----------
    folder : Path
        A new one.
    count, malformed, spared : int
        Of all, of them damaged, and of the first ones that are sound.
    pixels : int
        Their side.
    seed : int
    """
    from edge_retrieve.train.phantom.archive import write_archive

    chance = random.Random(seed)
    write_archive(folder / "models", _MODELS, seed, size=pixels, workers=1)
    models = [pydicom.dcmread(path) for path in sorted((folder / "models").rglob("*.dcm"))]
    for model in models:
        if model.file_meta.TransferSyntaxUID.is_compressed:
            model.decompress()
    damaged = set(chance.sample(range(spared, count), malformed))
    return [
        _make(folder / f"{n:05d}.dcm", n, models[n % len(models)], chance, n in damaged) for n in range(count)
    ]


def _make(path: Path, n: int, model: pydicom.Dataset, chance: random.Random, damaged: bool) -> SentObject:
    # An exposure of its own: equal pixels would be taken for the same image.
    original = model.pixel_array
    values = np.rint(original * (1 - (n % 997) / 5000)).astype(original.dtype)
    instance, study = uid.generate_uid(), uid.generate_uid()
    damage = chance.choice(_DAMAGES) if damaged else ""
    before = model.PixelData, model.get("BodyPartExamined")
    model.PixelData = (np.zeros_like(values) if damage == "blank" else values).tobytes()
    model.SOPInstanceUID = model.file_meta.MediaStorageSOPInstanceUID = instance
    model.StudyInstanceUID = study
    model.PatientID = f"LOAD{n}"
    if damage == "hand":
        model.BodyPartExamined = "HAND"
    model.save_as(path, enforce_file_format=True)
    model.PixelData, model.BodyPartExamined = before
    if damage in ("truncated", "garbage", "empty", "scrambled"):
        _spoil(path, damage, chance)
    return SentObject(path, instance, study, damage)


def _spoil(path: Path, damage: str, chance: random.Random) -> None:
    """Damage the data set, not the file's meta information: an association would not take that."""
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    head, rest = data[:start], data[start:]
    if damage == "truncated":
        rest = rest[: chance.randrange(10, len(rest) - 100) & ~1]
    elif damage == "garbage":
        rest = chance.randbytes(chance.randrange(2, 5000) & ~1)
    elif damage == "empty":
        rest = b"\0\0"
    else:
        # The first elements of the header made senseless.
        rest = chance.randbytes(600) + rest[600:]
    path.write_bytes(head + rest)
