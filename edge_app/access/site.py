"""Where a site keeps what belongs to it rather than to the archive: users, audit trail, its secret key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.runtime.store.privacy import Identities, identities_of

SITE_FOLDER = "site"


@dataclass(frozen=True)
class Site:
    """The folder of a site's own files. Backups of a store leave it out.

    Parameters
    ----------
    path : Path
    store : Path, optional
        Folder of the store that it goes with.
    """

    path: Path
    store: Path | None = None

    @classmethod
    def of(cls, store: Path, named: str = "") -> Site:
        """Return the folder that was named, else the one inside the store's folder."""
        return cls(Path(named) if named else store / SITE_FOLDER, store)

    @property
    def database(self) -> Path:
        """Users, sessions, tokens."""
        return self.path / "access.sqlite"

    @property
    def audit(self) -> Path:
        """Folder of the audit trail."""
        return self.path / "audit"

    @property
    def key(self) -> Path:
        """The secret that pseudonyms are made with."""
        return self.path / "site.key"

    def may_make_key(self) -> bool:
        """Return whether a missing key may be made: not where the store holds pseudonyms of a lost one."""
        return self.store is None or identities_of(self.store) is not Identities.REPLACED
