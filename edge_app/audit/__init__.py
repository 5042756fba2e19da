"""The audit trail: who saw, searched, exported and deleted what; every line vouches for the one before it."""

from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.events import Action, Event, Outcome
from edge_retrieve.edge_app.audit.trail import AuditTrail
from edge_retrieve.edge_app.audit.verify import Verdict, verify_trail

__all__ = ["Action", "AuditError", "AuditTrail", "Event", "Outcome", "Verdict", "verify_trail"]
