"""What stands for a study in the audit trail: a digest by the site's key, which names nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.runtime.deid.key import SiteKey, read_key, read_or_make_key
from edge_retrieve.runtime.deid.pseudonyms import uid_pseudonym
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.store.privacy import Identities, identities_of

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


def as_archived(site: Site, study: str) -> str:
    """Return what a site's archive calls a study, by what the hospital calls it.

    Where the archive's key is away it is the hospital's own: a reference of that is found by it, too.
    """
    if site.store is None or identities_of(site.store) is not Identities.REPLACED:
        return study
    try:
        return uid_pseudonym(read_key(site.key), study)
    except ConfigError:
        return study
