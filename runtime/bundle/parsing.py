"""Manifests as JSON: read strictly into their types, and written in one canonical form."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from edge_retrieve.runtime.bundle.manifest import (
    MAX_MANIFEST_BYTES,
    REGION_NAMES,
    SCHEMA_VERSION,
    Manifest,
)
from edge_retrieve.runtime.bundle.patterns import Pattern
from edge_retrieve.runtime.errors import BundleError

T = TypeVar("T")
REMEDY = "Fetch the bundle again from where it came from, or export it again"


def parse_manifest(raw: bytes, where: str) -> Manifest:
    """Read a manifest; refuse what `manifest.schema.json` refuses.

    Parameters
    ----------
    raw : bytes
        The file's content.
    where : str
        Its name, for the error.

    Raises
    ------
    BundleError
        Where it is not JSON, of another schema version, incomplete, or holds what is unknown.
    """
    document = _read_json(raw, where)
    _check_version(document.get("schema_version"), where)
    try:
        manifest: Manifest = _decode(Manifest, document, "")
    except _WrongValueError as error:
        raise BundleError(str(error), where=where, remedy=REMEDY) from error
    if manifest.regions != REGION_NAMES:
        differing = sorted(set(manifest.regions) ^ set(REGION_NAMES))
        raise BundleError(
            f"the bundle's regions differ from this version's 29 ({', '.join(differing) or 'their order'})",
            where=where,
            remedy="Use a bundle exported for this version",
        )
    return manifest


def parse_object(kind: type[T], raw: bytes, where: str, remedy: str = REMEDY) -> T:
    """Read another dataclass of ours from JSON, as strictly as a manifest.

    Parameters
    ----------
    kind : type
        A frozen dataclass; an optional field says so as those of `Manifest` do.
    raw : bytes
    where, remedy : str
        For the error.

    Raises
    ------
    BundleError
        Where it is not JSON, incomplete, or holds what is unknown.
    """
    try:
        found: T = _decode(kind, _read_json(raw, where), "")
    except _WrongValueError as error:
        raise BundleError(str(error), where=where, remedy=remedy) from error
    return found


def object_json(value: object) -> bytes:
    """Return the canonical text of a dataclass that `parse_object` reads."""
    return _canonical(_encode(value))


def manifest_json(manifest: Manifest) -> bytes:
    """Return a manifest's canonical text: sorted keys, UTF-8; what holds its default may be left out."""
    return _canonical(_encode(manifest))


def signed_content(raw: bytes, where: str) -> bytes:
    """Return what a signature is over: the manifest without signature.

    Raises
    ------
    BundleError
        Where it is not JSON.
    """
    document = _read_json(raw, where)
    document.pop("signature", None)
    return _canonical(document)


def identified_content(raw: bytes, where: str) -> bytes:
    """Return what a bundle's identifier is of: the manifest without signature, fusion, calibration of scores.

    None of them changes an embedding, so a store goes on with a bundle that was signed, tuned or calibrated
    meanwhile.

    Raises
    ------
    BundleError
        Where it is not JSON.
    """
    document = _read_json(raw, where)
    for name in ("signature", "fusion", "score_calibration"):
        document.pop(name, None)
    return _canonical(document)


def _canonical(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")


def _read_json(raw: bytes, where: str) -> dict[str, Any]:
    if len(raw) > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"the manifest is larger than {MAX_MANIFEST_BYTES >> 20} MiB", where=where, remedy=REMEDY
        )
    try:
        document = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_number,
            parse_float=_finite,
        )
        # A half surrogate pair is JSON all the same, and no text.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise BundleError(f"the manifest is not JSON ({error})", where=where, remedy=REMEDY) from error
    if not isinstance(document, dict):
        raise BundleError("the manifest is not a JSON object", where=where, remedy=REMEDY)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that stands twice: readers differ in which one counts, and one was signed."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"'{twice}' stands twice in one object")
    return found


def _refuse_number(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)


def _check_version(version: object, where: str) -> None:
    known = f"this version of edge-retrieve reads {SCHEMA_VERSION}"
    if isinstance(version, bool) or not isinstance(version, int | float):
        raise BundleError(f"bundle schema {version!r} is unknown, {known}", where=where, remedy=REMEDY)
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"bundle schema {version} is too new, {known}",
            where=where,
            remedy="Install the version of edge-retrieve that wrote the bundle, or a newer one",
        )
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"bundle schema {version} is unknown, {known}", where=where, remedy="Export the bundle again"
        )


class _WrongValueError(ValueError):
    """What is wrong with a value of the manifest."""


@cache
def _fields(kind: type) -> tuple[tuple[Field[Any], Any], ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple((item, hints[item.name]) for item in fields(kind))


def _decode(kind: Any, value: object, name: str) -> Any:
    """Return a JSON value as an object of a field's type; `name` is where it stands."""
    if isinstance(kind, types.UnionType):
        (kind,) = (part for part in get_args(kind) if part is not types.NoneType)
    if get_origin(kind) is Annotated:
        text, pattern = get_args(kind)
        return _matching(pattern, _decode(text, value, name), name)
    if is_dataclass(kind):
        return _decode_object(kind, value, name)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise _WrongValueError(f"'{name}' is not a list")
        return tuple(_decode(get_args(kind)[0], item, f"{name}[{n}]") for n, item in enumerate(value))
    if get_origin(kind) is not None:
        if not isinstance(value, dict):
            raise _WrongValueError(f"'{name}' is not a JSON object")
        key_kind, item_kind = get_args(kind)
        return {
            _decode(key_kind, key, name): _decode(item_kind, item, f"{name}.{key}")
            for key, item in value.items()
        }
    return _decode_plain(kind, value, name)


def _decode_object(kind: Any, value: object, name: str) -> Any:
    if not isinstance(value, dict):
        raise _WrongValueError(f"'{name}' is not a JSON object")
    prefix = f"{name}." if name else ""
    known = _fields(kind)
    values = {}
    for item, hint in known:
        if item.name in value:
            values[item.name] = _decode(hint, value[item.name], prefix + item.name)
        elif not item.metadata.get("optional"):
            raise _WrongValueError(f"the manifest lacks '{prefix}{item.name}'")
    unknown = sorted(value.keys() - {item.name for item, _ in known})
    if unknown:
        raise _WrongValueError(f"unknown manifest entries {[prefix + entry for entry in unknown]}")
    return kind(**values)


def _decode_plain(kind: Any, value: object, name: str) -> Any:
    if kind is str:
        if not isinstance(value, str) or not value:
            raise _WrongValueError(f"'{name}' is not a text, or is empty")
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise _WrongValueError(f"'{name}' is neither true nor false")
        return value
    if issubclass(kind, Enum):
        known = [member.value for member in kind]
        if not isinstance(value, str) or value not in known:
            raise _WrongValueError(f"'{name}' is not one of {', '.join(known)}")
        return kind(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongValueError(f"'{name}' is not a number")
    if kind is float:
        return _number(value, name)
    # JSON does not tell 64.0 from 64.
    if value != int(value) or value < 1:
        raise _WrongValueError(f"'{name}' is not a whole number above 0")
    return int(value)


def _number(value: int | float, name: str) -> int | float:
    try:
        float(value)
    except OverflowError:
        raise _WrongValueError(f"'{name}' is beyond all measure") from None
    return value


def _matching(pattern: Pattern, text: str, name: str) -> str:
    if not pattern.matches(text):
        raise _WrongValueError(f"{pattern.wrong.format(text)} ('{name}')")
    return text


def _encode(manifest: Any) -> dict[str, Any]:
    """Return a dataclass as a JSON object, without optional fields that hold their default."""
    document: dict[str, Any] = {}
    for item in fields(manifest):
        value = getattr(manifest, item.name)
        if item.metadata.get("optional") and value == item.default:
            continue
        if is_dataclass(value):
            value = _encode(value)
        elif isinstance(value, tuple):
            value = [_encode(entry) if is_dataclass(entry) else entry for entry in value]
        document[item.name] = value
    return document
