"""What is written into the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Action(str, Enum):
    """What somebody did, or tried to do."""

    LOG_IN = "log in"
    LOG_OUT = "log out"
    LIST = "list studies"
    VIEW = "view study"
    SEARCH = "search"
    UPLOAD = "upload image"
    NOTE = "give feedback"
    ACCEPT = "accept draft"
    IDENTIFY = "see identity"
    INGEST = "ingest"
    EXPORT = "export"
    DELETE = "delete"
    BACK_UP = "back up"
    MAINTAIN = "maintain"
    USERS = "change users"
    READ_TRAIL = "read audit trail"
    START = "start server"
    STOP = "stop server"
    OTHER = "other"


class Outcome(str, Enum):
    """What became of it."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class Event:
    """One thing somebody did.

    Parameters
    ----------
    user : str
        Who: a user's name, ``token of NAME``, ``local`` where no users exist, ``system NAME`` for an account
        of the operating system, ``AE TITLE`` for another DICOM system, or ``drop folder``.
    action : Action
    outcome : Outcome
    address : str
        Where the request came from, or the folder that was watched; empty for a command of this machine.
    subjects : tuple of str
        References of the studies concerned (see `edge_app.audit.references`), never identifiers.
    detail : str
        A word about it that names no patient: the address's pattern, a count.
    """

    user: str
    action: Action
    outcome: Outcome = Outcome.DONE
    address: str = ""
    subjects: tuple[str, ...] = ()
    detail: str = ""
