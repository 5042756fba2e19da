"""The site's secret: what turns an identifier into its pseudonym, always the same one."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from edge_retrieve.runtime.errors import ConfigError

KEY_BYTES = 32

_BRING_BACK = "Bring it back from where you keep it, or name its folder with --site"


@dataclass(frozen=True)
class SiteKey:
    """A secret key of 256 bits.

    Parameters
    ----------
    secret : bytes
        Never shown, never logged.
    """

    secret: bytes = field(repr=False)

    def digest(self, purpose: str, text: str) -> bytes:
        """Return the HMAC-SHA-256 (RFC 2104) of a text, 32 bytes; another one for each purpose."""
        # The length goes first, so that no purpose and text join to another pair's bytes.
        message = f"{len(purpose)}:{purpose}:{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self.secret, message, hashlib.sha256).digest()

    @property
    def check(self) -> str:
        """A word that tells this key from others and gives nothing away of it."""
        return self.digest("check", "").hex()[:16]


def read_key(path: Path) -> SiteKey:
    """Read a key.

    Raises
    ------
    ConfigError
        Where it is missing, cannot be read, or is no key.
    """
    try:
        text = path.read_text(encoding="ascii").strip()
        secret = bytes.fromhex(text)
    except FileNotFoundError as error:
        raise ConfigError(
            "the site's key is not here",
            where=str(path),
            remedy=_BRING_BACK,
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not 64 hexadecimal digits"
        raise ConfigError(
            f"the site's key cannot be read ({reason})", where=str(path), remedy=_BRING_BACK
        ) from error
    if len(secret) != KEY_BYTES:
        raise ConfigError("the site's key is not 64 hexadecimal digits", where=str(path), remedy=_BRING_BACK)
    return SiteKey(secret)


def read_or_make_key(path: Path) -> SiteKey:
    """Read a key; make it, for its owner only, where there is none.

    Raises
    ------
    ConfigError
        Where it cannot be read or written.
    """
    if path.exists():
        return read_key(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_hex(KEY_BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            # Where another process was faster, its key is the one.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    except OSError as error:
        raise ConfigError(
            f"the site's key cannot be written ({error.strerror})",
            where=str(path),
            remedy="Check the folder's permissions, or name another one with --site",
        ) from error
    return read_key(path)
