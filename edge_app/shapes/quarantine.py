"""Received objects that could not be stored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QuarantinedShape:
    """An object in quarantine; nothing of it tells whose it is.

    Parameters
    ----------
    object : str
        Its name here.
    arrived : str
        Empty where unknown.
    fault : str
        ``unusable``, ``refused`` or ``failed``.
    reason : str
    attempts : int
        How often storing it was begun.
    bytes : int
    sender : str
        AE title of who sent it; empty where it came another way.
    """

    object: str
    arrived: str
    fault: str
    reason: str
    attempts: int
    bytes: int
    sender: str


@dataclass(frozen=True)
class QuarantinePage:
    """Some of what is in quarantine, the oldest first."""

    total: int
    offset: int
    objects: list[QuarantinedShape]


@dataclass(frozen=True)
class ReleasedShape:
    """How many objects are tried again."""

    released: int
