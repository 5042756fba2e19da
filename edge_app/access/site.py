"""Where a site keeps what belongs to it rather than to the archive: users, audit trail, its secret key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SITE_FOLDER = "site"


@dataclass(frozen=True)
class Site:
    """The folder of a site's own files. Backups of a store leave it out.

    Parameters
    ----------
    path : Path
    """

    path: Path

    @classmethod
    def of(cls, store: Path, named: str = "") -> Site:
        """Return the folder that was named, else the one inside the store's folder."""
        return cls(Path(named) if named else store / SITE_FOLDER)

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
