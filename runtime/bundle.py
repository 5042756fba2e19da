"""The model bundle: a folder with the graphs, the tokenizer and a manifest that vouches for them."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.errors import BundleError

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
DEMO_BUNDLE = Path(__file__).parent / "demo_bundle"

_BLOCK = 1 << 20
_VERIFY = "Fetch the bundle again from where it came from, or export it again"


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself.

    Parameters
    ----------
    model_id : str
        Name and version of the model.
    image_size : int
        Side of the letterboxed square the image encoder takes, pixels.
    embedding_dim : int
        Length D of every embedding.
    feature_channels : int
        Channels C of the feature map.
    feature_stride : int
        Model pixels per cell of the feature map.
    max_text_tokens : int
        Longer texts are cut here.
    training_data : str
        In words: what the model was trained on.
    precision : str
        Of the graphs' weights: ``fp32``, ``fp16`` or ``int8``.
    regions : tuple of str
        The region names in the order of the model's outputs.
    image_encoder, region_encoder, text_encoder, tokenizer : str
        File names inside the bundle.
    evaluation : mapping of str to float
        Measured figures, by name.
    thresholds : mapping of str to float
        Decision levels, such as ``box_score_flag`` (a box below it is doubtful) and ``abstain_below``
        (no hit at or above this score: no sufficiently similar case).
    files : mapping of str to str
        SHA-256 hex digest of every file but the manifest; filled in by `write_bundle`.
    schema_version : int
    """

    model_id: str
    image_size: int
    embedding_dim: int
    feature_channels: int
    feature_stride: int
    max_text_tokens: int
    training_data: str
    precision: str = "fp32"
    regions: tuple[str, ...] = tuple(region.value for region in REGIONS)
    image_encoder: str = "image_encoder.onnx"
    region_encoder: str = "region_encoder.onnx"
    text_encoder: str = "text_encoder.onnx"
    tokenizer: str = "tokenizer.json"
    evaluation: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk.

    Parameters
    ----------
    path : Path
        Its folder.
    manifest : Manifest
    bundle_id : str
        SHA-256 hex digest of the manifest file: it names every file's digest, hence all contents.
    """

    path: Path
    manifest: Manifest
    bundle_id: str

    def file(self, name: str) -> Path:
        """Return the path of a file of the bundle."""
        return self.path / name


def write_bundle(folder: Path, manifest: Manifest) -> Bundle:
    """Hash the files in a folder and write the manifest beside them.

    Parameters
    ----------
    folder : Path
        Holds the graphs and the tokenizer; every file in it becomes part of the bundle.
    manifest : Manifest
        Its `files` are replaced by what is found.

    Returns
    -------
    Bundle
        As read back and verified.

    Raises
    ------
    BundleError
        Where a named file is missing or the manifest is inconsistent.
    """
    if not folder.is_dir():
        raise BundleError("no such folder", where=str(folder), remedy="Export the graphs there first")
    names = [name for name in _listing(folder) if name != MANIFEST_NAME]
    complete = replace(manifest, files={name: _sha256(folder / name) for name in names})
    _check(complete, folder / MANIFEST_NAME)
    text = json.dumps(asdict(complete), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    temporary = folder.parent / f".{folder.name}.{MANIFEST_NAME}.{os.getpid()}"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(folder / MANIFEST_NAME)
    return load_bundle(folder)


def load_bundle(path: Path | None = None) -> Bundle:
    """Open a bundle and verify every file in it.

    Parameters
    ----------
    path : Path, optional
        The bundle's folder; the demo bundle shipped with this package where None.

    Raises
    ------
    BundleError
        Where the bundle is missing, of another schema, incomplete, altered, or for other regions.
    """
    folder = DEMO_BUNDLE if path is None else path
    if not folder.is_dir():
        raise BundleError(
            "no such bundle folder",
            where=str(folder),
            remedy="Give the folder that holds manifest.json"
            if path is not None
            else "This installation lacks the demo bundle: name a bundle",
        )
    location = folder / MANIFEST_NAME
    try:
        raw = location.read_bytes()
    except OSError as error:
        raise BundleError(
            f"the manifest cannot be read ({error.strerror})", where=str(location), remedy=_VERIFY
        ) from error
    manifest = _parse(raw, location)
    _check(manifest, location)
    _check_files(folder, manifest)
    return Bundle(folder, manifest, hashlib.sha256(raw).hexdigest())


def _parse(raw: bytes, location: Path) -> Manifest:
    try:
        document = json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise BundleError(
            f"the manifest is not JSON ({error})", where=str(location), remedy=_VERIFY
        ) from error
    if not isinstance(document, dict):
        raise BundleError("the manifest is not a JSON object", where=str(location), remedy=_VERIFY)
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"bundle schema {version!r} is unknown, this version reads {SCHEMA_VERSION}",
            where=str(location),
            remedy="Install the version of edge-retrieve that wrote the bundle, or export it again",
        )
    values: dict[str, Any] = {}
    for item in fields(Manifest):
        if item.name not in document:
            raise BundleError(f"the manifest lacks '{item.name}'", where=str(location), remedy=_VERIFY)
        value = document.pop(item.name)
        if not _KINDS[str(item.type)](value):
            raise BundleError(
                f"'{item.name}' is not of the type {item.type}", where=str(location), remedy=_VERIFY
            )
        values[item.name] = tuple(value) if isinstance(value, list) else value
    if document:
        raise BundleError(f"unknown manifest entries {sorted(document)}", where=str(location), remedy=_VERIFY)
    return Manifest(**values)


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_figures(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(figure, int | float) and math.isfinite(figure) for figure in value.values()
    )


# The manifest's field types as the dataclass spells them, and how a JSON value of each looks.
_KINDS: Mapping[str, Callable[[object], bool]] = {
    "str": lambda value: isinstance(value, str) and bool(value),
    "int": _is_positive,
    "tuple[str, ...]": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    "Mapping[str, float]": _is_figures,
    "Mapping[str, str]": lambda value: (
        isinstance(value, dict) and all(isinstance(digest, str) for digest in value.values())
    ),
}


def _check(manifest: Manifest, location: Path) -> None:
    """Raise `BundleError` where a manifest contradicts itself or this version."""
    known = tuple(region.value for region in REGIONS)
    if tuple(manifest.regions) != known:
        differing = sorted(set(manifest.regions) ^ set(known))
        raise BundleError(
            f"the bundle's regions differ from this version's 29 ({', '.join(differing) or 'their order'})",
            where=str(location),
            remedy="Use a bundle exported for this version",
        )
    for name in manifest.files:
        pure = PurePosixPath(name)
        if pure.is_absolute() or "\\" in name or str(pure) != name or ".." in pure.parts:
            raise BundleError(
                f"the file name '{name}' points out of the bundle", where=str(location), remedy=_VERIFY
            )
    for role in ("image_encoder", "region_encoder", "text_encoder", "tokenizer"):
        if getattr(manifest, role) not in manifest.files:
            raise BundleError(
                f"the {role.replace('_', ' ')} '{getattr(manifest, role)}' is not in the bundle",
                where=str(location),
                remedy=_VERIFY,
            )


def _check_files(folder: Path, manifest: Manifest) -> None:
    present = {name for name in _listing(folder) if name != MANIFEST_NAME}
    for name in sorted(manifest.files.keys() - present):
        raise BundleError("the file is missing", where=str(folder / name), remedy=_VERIFY)
    for name in sorted(present - manifest.files.keys()):
        raise BundleError(
            "the manifest does not list this file", where=str(folder / name), remedy="Remove it, or re-export"
        )
    for name, expected in manifest.files.items():
        if _sha256(folder / name) != expected:
            raise BundleError(
                "the file's SHA-256 is not the one in the manifest",
                where=str(folder / name),
                remedy=_VERIFY,
            )


def _listing(folder: Path) -> list[str]:
    """Return every file below a folder as relative POSIX names; links are refused."""
    names = []
    for item in sorted(folder.rglob("*")):
        if item.is_symlink():
            raise BundleError(
                "a bundle holds no links", where=str(item), remedy="Put the file itself in its place"
            )
        if not item.is_dir():
            names.append(item.relative_to(folder).as_posix())
    return names


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise BundleError(
            f"the file cannot be read ({error.strerror})", where=str(path), remedy=_VERIFY
        ) from error
    return digest.hexdigest()
