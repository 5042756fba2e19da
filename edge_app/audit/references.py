"""What stands for a study in the audit trail: a digest by the site's key, which names nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.runtime.deid.key import SiteKey, read_key, read_or_make_key
from edge_retrieve.runtime.errors import ConfigError

_LENGTH = 20  # hexadecimal digits: 80 bits


@dataclass(frozen=True)
class References:
    """Makes references; those of one site are always the same.

    Parameters
    ----------
    key : SiteKey or None
        None where the folder of the key cannot be written: then nothing is referred to.
    """

    key: SiteKey | None

    def of(self, study: str) -> str:
        """Return the reference of a study."""
        if self.key is None:
            return "unknown"
        return self.key.digest("audit", study).hex()[:_LENGTH]


def references_of(path: Path, *, make: bool = True) -> References:
    """Return what makes references with a key, which is made where it is missing."""
    try:
        return References(read_or_make_key(path) if make else read_key(path))
    except ConfigError:
        if path.exists():
            raise
        return References(None)
