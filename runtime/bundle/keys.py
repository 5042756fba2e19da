"""Keys that sign bundles, and the list of those a machine trusts: files in the format of OpenSSH."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_retrieve.runtime.errors import ConfigError

# The library takes a noticeable part of a command's start, and only signed bundles need it.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PUBLIC_SUFFIX = ".pub"
PRIVATE_SUFFIX = ".key"

_TYPE = b"ssh-ed25519"
_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
_MAX_KEY_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class TrustedKey:
    """A public key whose signature counts.

    Parameters
    ----------
    name : str
        Of whoever holds its private half.
    public : bytes
        32 bytes, Ed25519.
    """

    name: str
    public: bytes

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it: SHA-256 of the key as RFC 4253, section 6.6 writes it."""
        parts = (_TYPE, self.public)
        blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")

    def library_key(self) -> Ed25519PublicKey:
        """Return the key as the cryptography library has it."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return Ed25519PublicKey.from_public_bytes(self.public)


@dataclass(frozen=True)
class SigningKey:
    """A private key, and its public half.

    Parameters
    ----------
    private : Ed25519PrivateKey
    trusted : TrustedKey
    """

    private: Ed25519PrivateKey
    trusted: TrustedKey


@dataclass(frozen=True)
class KeyFiles:
    """Where a new pair of keys lies.

    Parameters
    ----------
    private, public : Path
    fingerprint : str
    """

    private: Path
    public: Path
    fingerprint: str


def generate_keys(folder: Path, name: str) -> KeyFiles:
    """Make a pair of keys: ``NAME.key``, which only its owner can read, and ``NAME.pub``.

    Raises
    ------
    ConfigError
        Where the name is not one for a file, or one of the files exists or cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not _KEY_NAME.fullmatch(name):
        raise ConfigError(
            f"'{name}' is no name for a key",
            where="--name",
            remedy="Use letters, digits, dots, dashes and @, without spaces",
        )
    private = Ed25519PrivateKey.generate()
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    shown = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    files = KeyFiles(
        folder / (name + PRIVATE_SUFFIX), folder / (name + PUBLIC_SUFFIX), _trusted(private, name).fingerprint
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if files.public.exists():
            raise FileExistsError(0, "it exists", str(files.public))
        _write_new(files.private, secret, 0o600)
        _write_new(files.public, shown + f" {name}\n".encode(), 0o644)
    except OSError as error:
        raise ConfigError(
            f"the key cannot be written ({error.strerror})",
            where=str(error.filename or folder),
            remedy="Give another --name or folder; no key is ever replaced",
        ) from error
    return files


def read_signing_key(path: Path) -> SigningKey:
    """Read a private key: OpenSSH or PKCS 8 in PEM, Ed25519, without a passphrase.

    Raises
    ------
    ConfigError
        Where it cannot be read or is another kind of key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    remedy = "Give the private key that 'edge-retrieve bundle keygen' made"
    raw = _read_key_file(path)
    is_openssh = b"BEGIN OPENSSH PRIVATE KEY" in raw
    load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
    try:
        private = load(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"this is no private key ({error})", where=str(path), remedy=remedy) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError("the key is not an Ed25519 key", where=str(path), remedy=remedy)
    return SigningKey(private, _trusted(private, path.stem))


def read_trusted_keys(path: Path) -> tuple[TrustedKey, ...]:
    """Read the keys a machine trusts.

    Parameters
    ----------
    path : Path
        A file with one public key a line (``ssh-ed25519 AAAA... NAME``; blank lines and those that begin
        with # do not count), or a folder of such files named ``*.pub``.

    Raises
    ------
    ConfigError
        Where there is none, or a line is no Ed25519 public key.
    """
    files = sorted(path.glob("*" + PUBLIC_SUFFIX)) if path.is_dir() else [path]
    keys = [key for file in files for key in _read_key_lines(file)]
    if not keys:
        raise ConfigError(
            "there is no public key here",
            where=str(path),
            remedy=f"Put the maker's *{PUBLIC_SUFFIX} file there, or name the folder or file that has it",
        )
    return tuple(keys)


def _read_key_lines(path: Path) -> list[TrustedKey]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    keys = []
    for number, line in enumerate(_read_key_file(path).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        where = f"{path}:{number}"
        remedy = "A line is: ssh-ed25519 AAAA... NAME"
        try:
            key = serialization.load_ssh_public_key(line)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ConfigError("this is no public key", where=where, remedy=remedy) from error
        if not isinstance(key, Ed25519PublicKey):
            raise ConfigError("the key is not an Ed25519 key", where=where, remedy=remedy)
        comment = line.split(maxsplit=2)[2:]
        name = comment[0].decode("utf-8", "replace").strip() if comment else path.stem
        keys.append(TrustedKey(name, key.public_bytes_raw()))
    return keys


def _read_key_file(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"the key file cannot be read ({error.strerror})", where=str(path), remedy="Name another file"
        ) from error
    if len(raw) > _MAX_KEY_FILE_BYTES:
        raise ConfigError("this is too large for a key file", where=str(path), remedy="Name another file")
    return raw


def _trusted(private: Ed25519PrivateKey, name: str) -> TrustedKey:
    return TrustedKey(name, private.public_key().public_bytes_raw())


def _write_new(path: Path, content: bytes, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:  # noqa: PTH123
        stream.write(content)
