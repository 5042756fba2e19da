"""How a received object came, and from whom: what the audit trail says of it when it is stored."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from enum import Enum

_LONGEST = 64  # characters of each part: a user's name; AE titles have 16, addresses 45


class Way(str, Enum):
    """How an object came."""

    C_STORE = "C-STORE"
    C_GET = "C-GET"
    STOW = "STOW-RS"
    WADO = "WADO-RS"
    DROP = "drop folder"


@dataclass(frozen=True)
class Arrival:
    """How an object came, and from whom.

    It is a part of the name of the object's file in the spool, so that it is on disk with the object and
    costs no further write.

    Parameters
    ----------
    way : Way
    name : str
        The other side's AE title; of STOW-RS the user, as the audit trail calls him; empty for a folder.
    address : str
        The other side's host; empty for a folder.
    """

    way: Way
    name: str = ""
    address: str = ""

    @property
    def user(self) -> str:
        """Who it was, as the audit trail calls him."""
        if self.way in (Way.C_STORE, Way.C_GET):
            # No user is called so: a user's name has no space.
            return f"AE {self.name}"
        return self.name or self.way.value

    @property
    def ae_title(self) -> str:
        """The other side's AE title; empty where it came another way."""
        return self.name if self.way in (Way.C_STORE, Way.C_GET) else ""

    def as_name(self) -> str:
        """Return it as a part of a file's name, of letters, digits, ``-`` and ``_``."""
        text = "\t".join((self.way.name, _plain(self.name), _plain(self.address)))
        return base64.urlsafe_b64encode(text.encode("ascii")).decode().rstrip("=")

    @classmethod
    def from_name(cls, part: str) -> Arrival | None:
        """Return what `as_name` wrote, None for anything else."""
        try:
            text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("ascii")
            way, name, address = text.split("\t")
            return cls(Way[way], name, address)
        except (binascii.Error, ValueError, KeyError):
            return None


def _plain(text: str) -> str:
    """Return a text that whoever sent it cannot break a line of the trail or a terminal with."""
    return "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in text.strip())[:_LONGEST]
