"""What can go wrong with the audit trail."""

from __future__ import annotations

from edge_retrieve.runtime.errors import EdgeRetrieveError


class AuditError(EdgeRetrieveError):
    """The audit trail cannot be written or read."""
