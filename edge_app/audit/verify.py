"""Reading a trail from its first line to its last, and saying where it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.events import Event
from edge_retrieve.edge_app.audit.files import locked, trail_files
from edge_retrieve.edge_app.audit.lines import GENESIS, digest_of, event_of, parse_line


@dataclass(frozen=True)
class Verdict:
    """What verifying a trail found.

    Parameters
    ----------
    lines : int
        That hold, counted from the first.
    head : str
        ``NUMBER:DIGEST`` of the last of them. Written down elsewhere, it shows later that nothing up to
        there was changed, and that the end was not cut off.
    broken_at : str
        The first line that does not hold, ``FILE, line N``; empty where all do.
    reason : str
        Why it does not; empty where all do.
    """

    lines: int
    head: str
    broken_at: str = ""
    reason: str = ""

    @property
    def intact(self) -> bool:
        """Whether every line holds."""
        return not self.reason


@dataclass(frozen=True)
class Entry:
    """A line of the trail as read.

    Parameters
    ----------
    number : int
    time : str
        UTC, ISO 8601.
    event : Event
    """

    number: int
    time: str
    event: Event

    def fields(self) -> dict[str, object]:
        """Return it as one object of JSON, without its digests."""
        event = self.event
        return {
            "number": self.number,
            "time": self.time,
            "user": event.user,
            "action": event.action.value,
            "outcome": event.outcome.value,
            "address": event.address,
            "subjects": list(event.subjects),
            "detail": event.detail,
        }


def verify_trail(folder: Path, anchor: str = "") -> Verdict:
    """Check every line of a trail against the one before it.

    Parameters
    ----------
    folder : Path
    anchor : str
        A head written down earlier; the trail must contain it.

    Raises
    ------
    AuditError
        Where the folder cannot be read.
    """
    number, previous, anchored = 0, GENESIS, not anchor
    for place, line in _lines(folder):
        fields = parse_line(line)
        if not line.endswith("\n"):
            reason = "it is unfinished, as a power cut leaves a line; the next start of the server removes it"
        elif fields is None:
            reason = "it is no line of an audit trail"
        elif fields["digest"] != digest_of(fields):
            reason = "it was changed: its digest is another"
        elif fields["number"] != number + 1:
            reason = f"it has the number {fields['number']} where {number + 1} is due: lines are missing"
        elif fields["previous"] != previous:
            reason = "it does not follow the line before it: that one was replaced"
        else:
            number, previous = fields["number"], fields["digest"]
            anchored = anchored or anchor == f"{number}:{previous}"
            continue
        return Verdict(number, f"{number}:{previous}", place, reason)
    if not anchored:
        return Verdict(
            number,
            f"{number}:{previous}",
            "the trail as a whole",
            "the head written down earlier is not in it",
        )
    return Verdict(number, f"{number}:{previous}")


def read_trail(folder: Path) -> Iterator[Entry]:
    """Yield the lines of a trail that can be read, oldest first.

    Raises
    ------
    AuditError
        Where the folder cannot be read.
    """
    for _, line in _lines(folder):
        fields = parse_line(line)
        if fields is not None:
            yield Entry(fields["number"], fields["time"], event_of(fields))


def _lines(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield every line with its place."""
    try:
        # Only looking where it ends takes the lock: nobody waits for a slow reader, nor for one that stops.
        with locked(folder, shared=True):
            ends = [(path, path.stat().st_size) for _, path in trail_files(folder)]
        for path, end in ends:
            with path.open("rb") as stream:
                count = 0
                while stream.tell() < end:
                    count += 1
                    line = stream.readline(end - stream.tell())
                    yield f"{path.name}, line {count}", line.decode("utf-8", "replace")
    except OSError as error:
        raise AuditError(
            f"the audit trail cannot be read ({error.strerror})",
            where=str(folder),
            remedy="Check the folder's permissions",
        ) from error
