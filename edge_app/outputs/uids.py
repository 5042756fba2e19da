"""UIDs that depend on what they name alone: the same object made twice has the same UID."""

from __future__ import annotations

import uuid

# A name space of our own, as RFC 9562 (section 5.5) asks for names that are no URL.
_NAMESPACE = uuid.UUID("e093f93f-ac06-4888-a734-3682a3590f32")


def name_based_uuid(*parts: str) -> uuid.UUID:
    """Return the UUID (version 5) of a name in several parts."""
    return uuid.uuid5(_NAMESPACE, "\0".join(parts))


def name_based_uid(*parts: str) -> str:
    """Return the DICOM UID of a name in several parts, under the root of UUIDs (PS3.5 B.2)."""
    return f"2.25.{name_based_uuid(*parts).int}"
