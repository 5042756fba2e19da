"""Asking for a resource and getting its shape."""

from __future__ import annotations

from typing import TypeVar

from edge_retrieve.edge_app.client.connection import Connection, Parameters, json_body
from edge_retrieve.edge_app.client.shaping import decoded, shaped

Shape = TypeVar("Shape")


class Asking:
    """What the parts of a client share.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _get(self, kind: type[Shape], path: str, parameters: Parameters | None = None) -> Shape:
        return shaped(kind, decoded(self._connection.ask("GET", path, parameters)))

    def _post(self, kind: type[Shape], path: str, document: object) -> Shape:
        body = None if document is None else json_body(document)
        return shaped(kind, decoded(self._connection.ask("POST", path, body=body)))
