"""Objects that cannot be stored, each with its reason, until a person decides."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path

from edge_retrieve.edge_app.dicom_node.spool import Spool, SpoolEntry, flush_folder, write_durably
from edge_retrieve.edge_app.shapes.quarantine import QuarantinedShape
from edge_retrieve.runtime.errors import StoreError, UnknownStudyError


class Fault(str, Enum):
    """Why an object is in quarantine."""

    UNUSABLE = "unusable"
    """Damaged, or no chest X-ray: trying again changes nothing."""
    REFUSED = "refused"
    """The gate before the store did not let it pass."""
    FAILED = "failed"
    """Storing it failed again and again, or ended the process."""


@dataclass(frozen=True)
class QuarantineEntry:
    """An object in quarantine; no identifier is among its fields.

    Parameters
    ----------
    id : str
    arrived : str
        ISO 8601, UTC.
    fault : Fault
    reason : str
    attempts : int
    bytes : int
    sender : str
        AE title of who sent it; empty where it came another way.
    """

    id: str
    arrived: str
    fault: Fault
    reason: str
    attempts: int
    bytes: int
    sender: str


def set_aside(spool: Spool, entry: SpoolEntry, fault: Fault, reason: str, sender: str = "") -> None:
    """Move an object from the spool into quarantine.

    Its reason is on disk before it leaves the spool: a process that ends in between does it again.

    Raises
    ------
    OSError
        Where the quarantine cannot be written; the object stays in the spool then.
    """
    arrived = datetime.fromtimestamp(entry.arrived_ns / 1e9, timezone.utc).isoformat(timespec="seconds")
    # The spool's path tells a reader nothing, and is another one by now.
    told = reason.removeprefix(f"{entry.path}: ")
    described = QuarantineEntry(
        entry.id, arrived, fault, told, entry.attempts, entry.path.stat().st_size, sender
    )
    document = json.dumps(asdict(described), indent=2) + "\n"
    write_durably(spool.quarantine / f"{entry.id}.json", [document.encode()])
    entry.path.rename(spool.quarantine / f"{entry.id}.{entry.rest}")
    with suppress(FileNotFoundError):
        entry.report.rename(spool.quarantine / entry.report.name)
    flush_folder(spool.quarantine)
    flush_folder(spool.incoming)


def quarantined(spool: Spool) -> tuple[QuarantineEntry, ...]:
    """Return what is in quarantine, the oldest first."""
    entries = []
    for path in sorted(spool.quarantine.glob("*.json")):
        # Without its object, the move into quarantine was cut short and is done again.
        if _object_of(spool, path.stem) is None:
            continue
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            entries.append(QuarantineEntry(**{**document, "fault": Fault(document["fault"])}))
        except (OSError, ValueError, TypeError, KeyError):
            entries.append(
                QuarantineEntry(path.stem, "", Fault.FAILED, "its reason cannot be read", 0, 0, "")
            )
    return tuple(entries)


def count_quarantined(spool: Spool) -> int:
    """Return how many objects are in quarantine."""
    return sum(1 for path in spool.quarantine.glob("*.json") if _object_of(spool, path.stem))


def quarantined_shape(entry: QuarantineEntry) -> QuarantinedShape:
    """Return an object in quarantine as the HTTP interface and the command line tell of it."""
    return QuarantinedShape(
        object=entry.id,
        arrived=entry.arrived.replace("+00:00", "Z"),
        fault=entry.fault.value,
        reason=entry.reason,
        attempts=entry.attempts,
        bytes=entry.bytes,
        sender=entry.sender,
    )


def release(spool: Spool, entry: str) -> None:
    """Put an object back into the spool, to be tried again.

    Raises
    ------
    UnknownStudyError
        Where no such object is in quarantine.
    StoreError
        Where it cannot be moved.
    """
    path = file_of(spool, entry)
    arrived, _, token = entry.partition("-")
    rest = path.name.removeprefix(f"{entry}.")
    back = SpoolEntry(spool.incoming / f"{entry}.0.{rest}", int(arrived), token, 0)
    try:
        with suppress(FileNotFoundError):
            (spool.quarantine / back.report.name).rename(back.report)
        path.rename(back.path)
        flush_folder(spool.incoming)
        (spool.quarantine / f"{entry}.json").unlink(missing_ok=True)
    except FileNotFoundError as error:
        raise _unknown(spool, entry) from error  # somebody else was faster
    except OSError as error:
        raise StoreError(f"the object cannot be moved ({error.strerror})", where=str(path)) from error
    spool.arrived.set()


def discard(spool: Spool, entry: str) -> None:
    """Delete an object in quarantine for good.

    Raises
    ------
    UnknownStudyError
        Where no such object is in quarantine.
    """
    file_of(spool, entry).unlink(missing_ok=True)
    for suffix in (".txt", ".json"):
        (spool.quarantine / f"{entry}{suffix}").unlink(missing_ok=True)


def file_of(spool: Spool, entry: str) -> Path:
    """Return the file of an object in quarantine, as it came.

    Raises
    ------
    UnknownStudyError
        Where no such object is in quarantine.
    """
    path = _object_of(spool, entry)
    if path is None:
        raise _unknown(spool, entry)
    return path


def _unknown(spool: Spool, entry: str) -> UnknownStudyError:
    return UnknownStudyError(
        f"no object '{entry}' is in quarantine",
        where=str(spool.quarantine),
        remedy="'edge-retrieve dicom quarantine' lists them",
    )


def _object_of(spool: Spool, entry: str) -> Path | None:
    if not entry.replace("-", "").isalnum():
        return None  # a name from outside must not lead elsewhere
    found = (path for path in spool.quarantine.glob(f"{entry}.*") if path.suffix not in (".json", ".txt"))
    return next(found, None)
