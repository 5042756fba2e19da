"""Opening, writing, signing and packing bundles."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from edge_retrieve.runtime.bundle.archive import default_cache, unpack_archive, write_archive
from edge_retrieve.runtime.bundle.keys import SigningKey
from edge_retrieve.runtime.bundle.manifest import MANIFEST_NAME, Fusion, Manifest
from edge_retrieve.runtime.bundle.parsing import manifest_json
from edge_retrieve.runtime.bundle.score_curves import ScoreCalibration
from edge_retrieve.runtime.bundle.signature import Trust, identify, sign_manifest
from edge_retrieve.runtime.bundle.verify import check_folder, hash_files, read_manifest_file
from edge_retrieve.runtime.errors import BundleError

DEMO_BUNDLE = Path(__file__).parents[1] / "demo_bundle"

_NOBODY = Trust()
_FOLDER_OF_ARCHIVE = "Give the folder it was packed from, and pack that again"


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk.

    Parameters
    ----------
    path : Path
        Its folder.
    manifest : Manifest
    bundle_id : str
        SHA-256 hex digest of the manifest without its signature and what only scores depend on: it names
        every file's digest, hence all contents.
    signed_by : str
        Name of the trusted key that signed it; empty where it is unsigned, shipped with this package, or
        nobody asked.
    """

    path: Path
    manifest: Manifest
    bundle_id: str
    signed_by: str = ""

    def file(self, name: str) -> Path:
        """Return the path of a file of the bundle."""
        return self.path / name


def load_bundle(path: Path | None = None, trust: Trust = _NOBODY, *, cache: Path | None = None) -> Bundle:
    """Open a bundle that is trusted, and verify every file in it.

    Parameters
    ----------
    path : Path, optional
        The bundle's folder or its tar; the demo bundle shipped with this package where None. The shipped one
        needs no signature: whoever can change it can change this code as well.
    trust : Trust
        Whose signature counts; by default nobody's.
    cache : Path, optional
        Where a tar is unpacked to; `default_cache` where None.

    Raises
    ------
    BundleError
        Where the bundle is missing, not trusted, of another schema, incomplete, altered, or for other
        regions.
    """
    if path is None or _is_shipped(path):
        return _open(DEMO_BUNDLE if path is None else path, None, cache)
    return _open(path, trust, cache)


def inspect_bundle(path: Path | None = None, *, cache: Path | None = None) -> Bundle:
    """Open a bundle and verify every file in it, whoever made it: to look at it, sign it or pack it.

    Parameters
    ----------
    path, cache : Path, optional
        As for `load_bundle`.

    Raises
    ------
    BundleError
        As `load_bundle` does, but for trust.
    """
    return _open(DEMO_BUNDLE if path is None else path, None, cache)


def write_bundle(folder: Path, manifest: Manifest) -> Bundle:
    """Hash the files in a folder and write the manifest beside them, unsigned.

    Parameters
    ----------
    folder : Path
        Holds the graphs and the tokenizer; every file in it becomes part of the bundle.
    manifest : Manifest
        Its `files` are replaced by what is found; a signature is dropped, for it was of other files.

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
    complete = replace(manifest, files=hash_files(folder), signature=None)
    return _write_manifest(folder, complete)


def sign_bundle(folder: Path, key: SigningKey) -> Bundle:
    """Sign a bundle's manifest in its folder, in the place of any signature it had.

    Raises
    ------
    BundleError
        Where the folder holds no whole bundle.
    """
    require_folder(folder, "signed", "Sign the folder it was packed from, or pack that with --key")
    return _write_manifest(folder, sign_manifest(inspect_bundle(folder).manifest, key))


def calibrate_bundle(folder: Path, calibration: ScoreCalibration, key: SigningKey | None = None) -> Bundle:
    """Put a calibration of the scores into a bundle's manifest, in the place of any it had.

    Its identifier stays, and so do the stores that were made with it.

    Parameters
    ----------
    folder : Path
    calibration : ScoreCalibration
    key : SigningKey, optional
        Signs the new manifest. Without, the bundle is unsigned: a signature it had was of another manifest.

    Raises
    ------
    BundleError
        Where the folder holds no whole bundle, or the calibration is none.
    """
    require_folder(folder, "calibrated")
    manifest = replace(inspect_bundle(folder).manifest, score_calibration=calibration, signature=None)
    return _write_manifest(folder, manifest if key is None else sign_manifest(manifest, key))


def tune_bundle(folder: Path, fusion: Fusion, key: SigningKey | None = None) -> Bundle:
    """Put the weights of fused scores into a bundle's manifest, in the place of any it had.

    Its identifier stays, and so do the stores that were made with it. A calibration goes, for it was of other
    scores.

    Parameters
    ----------
    folder : Path
    fusion : Fusion
    key : SigningKey, optional
        Signs the new manifest. Without, the bundle is unsigned: a signature it had was of another manifest.

    Raises
    ------
    BundleError
        Where the folder holds no whole bundle, or the weights make no mean.
    """
    require_folder(folder, "tuned", "Tune the folder it was packed from, and pack that again")
    manifest = replace(inspect_bundle(folder).manifest, fusion=fusion, score_calibration=None, signature=None)
    return _write_manifest(folder, manifest if key is None else sign_manifest(manifest, key))


def pack_bundle(folder: Path, out: Path, key: SigningKey | None = None) -> Bundle:
    """Write a bundle as one reproducible tar.

    Parameters
    ----------
    folder : Path
        Left as it is.
    out : Path
        Must not exist.
    key : SigningKey, optional
        Signs the packed manifest; without, a signature that is there is kept.

    Returns
    -------
    Bundle
        That was packed, with the manifest that was.

    Raises
    ------
    BundleError
        Where the folder holds no whole bundle, or the archive cannot be written.
    """
    bundle = inspect_bundle(folder)
    raw = read_manifest_file(bundle.path)
    if key is not None:
        bundle = replace(bundle, manifest=sign_manifest(bundle.manifest, key))
        raw = manifest_json(bundle.manifest)
    write_archive(bundle.path, out, bundle.manifest, raw)
    return bundle


def require_folder(folder: Path, done: str, remedy: str = _FOLDER_OF_ARCHIVE) -> None:
    """Refuse an archive as a bundle whose manifest shall change.

    Parameters
    ----------
    folder : Path
    done : str
        What shall happen to it, such as ``signed``.
    remedy : str

    Raises
    ------
    BundleError
        Where it is an archive.
    """
    if folder.is_file():
        raise BundleError(f"an archive is not {done} in place", where=str(folder), remedy=remedy)


def _is_shipped(path: Path) -> bool:
    return path.resolve() == DEMO_BUNDLE.resolve()


def _open(path: Path, trust: Trust | None, cache: Path | None) -> Bundle:
    if path.is_file():
        folder, identity = unpack_archive(path, trust, cache or default_cache())
        return Bundle(folder, identity.manifest, identity.bundle_id, identity.signed_by)
    if not path.is_dir():
        raise BundleError(
            "no such bundle",
            where=str(path),
            remedy="This installation lacks the demo bundle: name a bundle"
            if path == DEMO_BUNDLE
            else f"Give the folder that holds {MANIFEST_NAME}, or a packed bundle",
        )
    identity = identify(read_manifest_file(path), str(path / MANIFEST_NAME), trust)
    check_folder(path, identity.manifest)
    return Bundle(path, identity.manifest, identity.bundle_id, identity.signed_by)


def _write_manifest(folder: Path, manifest: Manifest) -> Bundle:
    """Put a manifest into a folder, once it is known that it will be read back."""
    raw = manifest_json(manifest)
    identify(raw, str(folder / MANIFEST_NAME), None)
    temporary = folder.parent / f".{folder.name}.{MANIFEST_NAME}.{os.getpid()}"
    try:
        temporary.write_bytes(raw)
        temporary.replace(folder / MANIFEST_NAME)
    except OSError as error:
        raise BundleError(
            f"the manifest cannot be written ({error.strerror})",
            where=str(folder),
            remedy="Name another folder",
        ) from error
    return inspect_bundle(folder)
