"""What stands for a study of the archive in another patient's record, and the way back from it.

The record of one patient is no place for the identifiers of others. A name is a digest by the site's key
(`runtime.deid.key`): whoever holds key and archive finds the study, nobody else does, however short the
archive's identifiers are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.runtime.deid.key import SiteKey, read_key, read_or_make_key
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.store import Store

_LENGTH = 12  # hexadecimal digits: 48 bits, two of a million studies agree with a chance of 0.2 %
_NAME = re.compile(rf"[0-9a-f]{{{_LENGTH}}}")
_PAGE = 1000


@dataclass(frozen=True)
class CaseNames:
    """Makes names of cases; those of one site are always the same.

    Parameters
    ----------
    key : SiteKey
    """

    key: SiteKey

    def of(self, study: str) -> str:
        """Return the name of a study."""
        return self.key.digest("case", study).hex()[:_LENGTH]

    def find(self, store: Store, name: str) -> tuple[str, ...]:
        """Return the studies of an archive that a name stands for; hardly ever more than one.

        Raises
        ------
        QueryError
            Where it is no such name.
        """
        wanted = name.strip().lower()
        if not _NAME.fullmatch(wanted):
            raise QueryError(
                f"'{name}' is no name of a case", remedy=f"It has {_LENGTH} digits, of 0 to 9 and a to f"
            )
        found, offset = [], 0
        while page := store.studies(limit=_PAGE, offset=offset):
            found += [each.study for each in page if self.of(each.study) == wanted]
            offset += len(page)
        return tuple(found)


def case_names(key_path: Path, *, make: bool = True) -> CaseNames:
    """Return what names cases with a site's key.

    Parameters
    ----------
    key_path : Path
    make : bool
        Whether to make it where there is none.

    Raises
    ------
    ConfigError
        Where the key cannot be read or made.
    """
    return CaseNames(read_or_make_key(key_path) if make else read_key(key_path))
