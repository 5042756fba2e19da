"""One line of the trail: its form, and the digest that chains it to the line before."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from edge_retrieve.edge_app.audit.events import Action, Event, Outcome

GENESIS = "0" * 64
"""What the very first line gives as the digest of the line before."""


def format_line(event: Event, number: int, time: str, previous: str) -> tuple[str, str]:
    """Return a line, without its line break, and its digest.

    Parameters
    ----------
    event : Event
    number : int
        Counts from 1 over all files.
    time : str
        UTC, ISO 8601.
    previous : str
        Digest of the line before.
    """
    body = {
        "number": number,
        "time": time,
        "user": event.user,
        "action": event.action.value,
        "outcome": event.outcome.value,
        "address": event.address,
        "subjects": list(event.subjects),
        "detail": event.detail,
        "previous": previous,
    }
    digest = digest_of(body)
    return _dumped({**body, "digest": digest}), digest


def parse_line(line: str) -> dict[str, Any] | None:
    """Return a line's fields, None where it is not a whole line of ours."""
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict) or not isinstance(fields["number"], int):
            return None
        if not all(isinstance(fields[name], str) for name in ("time", "previous", "digest")):
            return None
        event_of(fields)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return fields


def event_of(fields: dict[str, Any]) -> Event:
    """Return the event of a line's fields."""
    return Event(
        user=str(fields["user"]),
        action=Action(fields["action"]),
        outcome=Outcome(fields["outcome"]),
        address=str(fields["address"]),
        subjects=tuple(str(subject) for subject in fields["subjects"]),
        detail=str(fields["detail"]),
    )


def digest_of(fields: dict[str, Any]) -> str:
    """Return the SHA-256 of a line's fields but its digest, in their canonical form."""
    body = {name: value for name, value in fields.items() if name != "digest"}
    return hashlib.sha256(_dumped(body).encode()).hexdigest()


def _dumped(fields: dict[str, Any]) -> str:
    # ASCII: no character that a program might take for the end of a line.
    return json.dumps(fields, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
