"""Who vouches for a bundle: signing a manifest, and deciding whether a signature counts."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from edge_retrieve.runtime.bundle.keys import SigningKey, TrustedKey, read_trusted_keys
from edge_retrieve.runtime.bundle.manifest import Manifest, Signature, SignatureAlgorithm
from edge_retrieve.runtime.bundle.parsing import (
    REMEDY,
    identified_content,
    manifest_json,
    parse_manifest,
    signed_content,
)
from edge_retrieve.runtime.bundle.verify import check_consistency
from edge_retrieve.runtime.errors import BundleError

# So that a signature made for something else never counts here.
_PURPOSE = b"edge-retrieve bundle manifest\x00"


@dataclass(frozen=True)
class Trust:
    """Whose bundles are used.

    Parameters
    ----------
    keys : tuple of TrustedKey
    allow_unsigned : bool
        Use a bundle that bears no signature. One that bears a signature must verify all the same.
    """

    keys: tuple[TrustedKey, ...] = ()
    allow_unsigned: bool = False


@dataclass(frozen=True)
class Identity:
    """What a manifest file is worth.

    Parameters
    ----------
    manifest : Manifest
    bundle_id : str
        SHA-256 hex digest of the manifest without its signature and what only scores depend on: it names
        every file's digest, hence all contents, and stays when a bundle is signed, tuned or calibrated.
    signed_by : str
        Name of the trusted key that signed it; empty where none did, or nobody asked.
    """

    manifest: Manifest
    bundle_id: str
    signed_by: str


def identify(raw: bytes, where: str, trust: Trust | None) -> Identity:
    """Read a manifest file and decide whether it counts.

    Parameters
    ----------
    raw : bytes
    where : str
        Its name, for errors.
    trust : Trust, optional
        None does not ask who signed it.

    Raises
    ------
    BundleError
        As `parse_manifest`, `check_consistency` and `check_signature` do.
    """
    manifest = parse_manifest(raw, where)
    check_consistency(manifest, where)
    signed_by = "" if trust is None else check_signature(manifest, raw, trust, where)
    return Identity(manifest, hashlib.sha256(identified_content(raw, where)).hexdigest(), signed_by)


def read_trust(trusted_keys: Path | str, allow_unsigned: bool) -> Trust:
    """Return the trust that two settings describe.

    Parameters
    ----------
    trusted_keys : Path or str
        As for `read_trusted_keys`; empty for none.
    allow_unsigned : bool

    Raises
    ------
    ConfigError
        Where the keys cannot be read.
    """
    keys = read_trusted_keys(Path(trusted_keys)) if str(trusted_keys) else ()
    return Trust(keys, allow_unsigned)


def sign_manifest(manifest: Manifest, key: SigningKey) -> Manifest:
    """Return the manifest with a signature, in the place of any it had (Ed25519, RFC 8032)."""
    unsigned = manifest_json(replace(manifest, signature=None))
    value = key.private.sign(_PURPOSE + unsigned)
    return replace(
        manifest,
        signature=Signature(
            SignatureAlgorithm.ED25519, key.trusted.fingerprint, base64.b64encode(value).decode("ascii")
        ),
    )


def check_signature(manifest: Manifest, raw: bytes, trust: Trust, where: str) -> str:
    """Decide whether a bundle may be used.

    Parameters
    ----------
    manifest : Manifest
    raw : bytes
        The manifest file it was read from.
    trust : Trust
    where : str
        Names the file in an error.

    Returns
    -------
    str
        Name of the key that signed it; empty for an unsigned bundle that is allowed.

    Raises
    ------
    BundleError
        Where the bundle is unsigned, signed by a key that is not trusted, or the signature is wrong.
    """
    from cryptography.exceptions import InvalidSignature

    signature = manifest.signature
    if signature is None:
        if trust.allow_unsigned:
            return ""
        raise BundleError(
            "the bundle is not signed",
            where=where,
            remedy="Sign it ('edge-retrieve bundle sign'), or use it as it is with --allow-unsigned",
        )
    signers = [key for key in trust.keys if key.fingerprint == signature.key]
    if not signers:
        held = ", ".join(sorted(key.name for key in trust.keys)) or "no key at all"
        raise BundleError(
            f"the bundle is signed with the key {signature.key}, which is not trusted (trusted: {held})",
            where=where,
            remedy="If you know its maker, add the public key to those that --trusted-keys names",
        )
    try:
        signers[0].library_key().verify(
            base64.b64decode(signature.value), _PURPOSE + signed_content(raw, where)
        )
    except InvalidSignature as error:
        raise BundleError(
            f"the signature of '{signers[0].name}' does not match: the manifest was altered after signing",
            where=where,
            remedy=REMEDY,
        ) from error
    return signers[0].name
