"""What stands for a patient, an identifier and a date in a de-identified archive."""

from __future__ import annotations

import base64
from datetime import date, datetime, timedelta

from edge_retrieve.runtime.deid.key import SiteKey

PATIENT_PREFIX = "P-"
MOST_WEEKS = 260  # five years
OLDEST = 90.0  # years


def patient_pseudonym(key: SiteKey, patient: str) -> str:
    """Return what stands for a patient: the same for all studies of one, so that priors stay together."""
    digest = key.digest("patient", patient.strip())
    return PATIENT_PREFIX + base64.b32encode(digest[:10]).decode("ascii")


def uid_pseudonym(key: SiteKey, uid: str) -> str:
    """Return a UID that stands for another, or for an accession number, below the UUID root (PS3.5 B.2).

    PS3.15 E.3.9 asks that one identifier always becomes the same other one; nothing of the old one is in it.
    """
    number = bytearray(key.digest("uid", uid.strip())[:16])
    # A random UUID's version and variant (RFC 9562, 5.4), for the readers that look.
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    return f"2.25.{int.from_bytes(number, 'big')}"


def days_back(key: SiteKey, patient: str) -> int:
    """Return by how many days a patient's dates are moved back: whole weeks, so that weekdays stay."""
    number = int.from_bytes(key.digest("dates", patient.strip())[:8], "big")
    return 7 * (1 + number % MOST_WEEKS)


def shifted_date(key: SiteKey, patient: str, text: str) -> str:
    """Return a ``YYYYMMDD`` date moved as all dates of its patient are; empty where it is none.

    The intervals between a patient's studies are kept (PS3.15 E.3.6, retain longitudinal temporal information
    with modified dates).
    """
    try:
        day = datetime.strptime(text, "%Y%m%d").date()
        moved = day - timedelta(days=days_back(key, patient))
    except (ValueError, OverflowError):
        return ""
    return _compact(moved)


def capped_age(age: float | None) -> float | None:
    """Return an age in years; those above 90 become 90, for so few people are that old."""
    return None if age is None else min(age, OLDEST)


def _compact(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"
