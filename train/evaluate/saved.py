"""Encoded phantom archives on disk, so that one encoding serves several evaluations."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from edge_retrieve.runtime.errors import ArchiveError
from edge_retrieve.train.digest import renderer_digest
from edge_retrieve.train.evaluate.archive import EncodedPhantoms
from edge_retrieve.train.evaluate.boxes import RegionBoxes
from edge_retrieve.train.evaluate.encoded import EncodedArchive
from edge_retrieve.train.evaluate.grounding import PhraseScores

# Rises with every change of what is stored or of how it is computed.
_FORMAT = 3


def save_phantoms(folder: Path, model: str, studies: int, seed: int, phantoms: EncodedPhantoms) -> Path:
    """Write an encoded archive whole under a temporary name, then rename it.

    Parameters
    ----------
    folder : Path
        Made where there is none.
    model : str
        `StudyEncoder.bundle_id`.
    studies, seed : int
    phantoms : EncodedPhantoms
    """
    archive, boxes, phrases = phantoms.archive, phantoms.boxes, phantoms.phrases
    header = {**_origin(model, studies, seed), "said": archive.said, "written": archive.written}
    parts: dict[str, Any] = {
        "header": np.array(json.dumps(header)),
        "stated": phantoms.stated,
        **{f"archive.{name}": value for name, value in archive.arrays().items()},
        **{f"boxes.{name}": getattr(boxes, name) for name in ("found", "true", "scores")},
        **{f"phrases.{name}": getattr(phrases, name) for name in ("patients", "studies", "values")},
    }
    path = _path(folder, model, studies, seed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **parts)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise ArchiveError(
            f"the encoded archive cannot be written ({error.strerror})",
            where=str(path),
            remedy="Name a folder that can be written to",
        ) from error
    return path


def load_phantoms(folder: Path, model: str, studies: int, seed: int) -> EncodedPhantoms | None:
    """Read an encoded archive; None where there is none of this model, size and seed.

    Raises
    ------
    ArchiveError
        The file is damaged, or was made by another version of the phantoms or of this program.
    """
    path = _path(folder, model, studies, seed)
    if not path.is_file():
        return None
    remedy = "Remove it, and it is made again"
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            header = json.loads(str(stored["header"]))
            origin = _origin(model, studies, seed)
            if {name: header.get(name) for name in origin} != origin:
                raise ArchiveError(
                    "the encoded archive is of another model or another version of the phantoms",
                    where=str(path),
                    remedy=remedy,
                )
            parts = {name: stored[name] for name in stored.files if name != "header"}
        return EncodedPhantoms(
            EncodedArchive(
                **_of("archive", parts),
                said=tuple(tuple(row) for row in header["said"]),
                written=tuple(header["written"]),
            ),
            parts["stated"],
            RegionBoxes(**_of("boxes", parts)),
            PhraseScores(**_of("phrases", parts)),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ArchiveError(
            f"the encoded archive cannot be read ({error})", where=str(path), remedy=remedy
        ) from error


def _path(folder: Path, model: str, studies: int, seed: int) -> Path:
    return folder / f"phantoms-{model[:16]}-{studies}-{seed}.npz"


def _origin(model: str, studies: int, seed: int) -> dict[str, str | int]:
    return {
        "format": _FORMAT,
        "model": model,
        "studies": studies,
        "seed": seed,
        "renderer": renderer_digest(),
    }


def _of(part: str, parts: dict[str, Any]) -> dict[str, Any]:
    return {name.partition(".")[2]: value for name, value in parts.items() if name.startswith(f"{part}.")}
