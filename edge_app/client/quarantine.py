"""The received objects of a server that could not be stored."""

from __future__ import annotations

from edge_retrieve.edge_app.client.connection import Connection, segment
from edge_retrieve.edge_app.client.shaping import decoded, shaped
from edge_retrieve.edge_app.shapes.quarantine import QuarantinedShape, QuarantinePage, ReleasedShape

_ADDRESS = "/api/quarantine"


class Quarantine:
    """Looks after what could not be stored; `Client.quarantine` is one.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(self, *, limit: int = 50, offset: int = 0) -> QuarantinePage:
        """Return some of it, the oldest first."""
        reply = self._connection.ask("GET", _ADDRESS, {"limit": limit, "offset": offset})
        return shaped(QuarantinePage, decoded(reply))

    def retry(self, name: str) -> QuarantinedShape:
        """Have one object tried again; return what it was."""
        reply = self._connection.ask("POST", f"{_ADDRESS}/{segment(name)}/retry")
        return shaped(QuarantinedShape, decoded(reply))

    def retry_all(self) -> int:
        """Have all of them tried again; return how many."""
        reply = self._connection.ask("POST", f"{_ADDRESS}/retry")
        return shaped(ReleasedShape, decoded(reply)).released

    def discard(self, name: str) -> None:
        """Delete one object for good."""
        self._connection.ask("DELETE", f"{_ADDRESS}/{segment(name)}")
