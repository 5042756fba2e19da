"""What is refused, as errors; `problems` gives each its HTTP status."""

from __future__ import annotations

from edge_retrieve.runtime.errors import EdgeRetrieveError


class NotFoundError(EdgeRetrieveError):
    """The address names something that is not there, or no longer."""


class ConflictError(EdgeRetrieveError):
    """What is asked contradicts an earlier step."""


class MediaTypeError(EdgeRetrieveError):
    """A request's body is of a kind that is not read."""


class TooLargeError(EdgeRetrieveError):
    """A request is larger than the server accepts."""


class HostError(EdgeRetrieveError):
    """A request is addressed to a name this server does not answer to."""
