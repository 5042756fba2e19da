"""Where results may be sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DestinationShape:
    """A DICOM system that results may be sent to.

    Parameters
    ----------
    name : str
        Its AE title.
    tls : bool
        Whether the connection is encrypted.
    """

    name: str
    tls: bool


@dataclass(frozen=True)
class DestinationList:
    """All of them, as the operator listed them."""

    destinations: list[DestinationShape]
