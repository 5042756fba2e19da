"""Sending what a query found from a server to a PACS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge_retrieve.edge_app.client.connection import Connection, json_body
from edge_retrieve.edge_app.client.shaping import decoded, shaped
from edge_retrieve.edge_app.shapes import JobShape
from edge_retrieve.edge_app.shapes.destinations import DestinationList


class Pacs:
    """The systems that a server may send results to; `Client.pacs` is one.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def destinations(self) -> DestinationList:
        """Return them, as the operator listed them."""
        return shaped(DestinationList, decoded(self._connection.ask("GET", "/api/destinations")))

    def send(
        self, to: str, query: Mapping[str, Any], *, acceptance: str = "", kinds: Sequence[str] = ()
    ) -> JobShape:
        """Begin to send what a query found; `Client.wait_for` waits until it has arrived.

        Parameters
        ----------
        to : str
            Name of a destination.
        query : mapping
            As for `Client.query`; its image is DICOM.
        acceptance : str
            Name of an accepted draft of the same query; without one it is sent as preliminary.
        kinds : sequence of str
            Of ``sr``, ``gsps``, ``sc``; all that the image allows where empty.
        """
        asked: dict[str, Any] = {"to": to, "query": dict(query), "kinds": list(kinds)}
        if acceptance:
            asked["acceptance"] = acceptance
        return shaped(JobShape, decoded(self._connection.ask("POST", "/api/send", body=json_body(asked))))
