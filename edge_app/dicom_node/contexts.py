"""What the node accepts, and offers: SOP classes and transfer syntaxes."""

from __future__ import annotations

from pydicom import uid
from pydicom.uid import UID

from edge_retrieve.runtime.preprocess.checks import XRAY_CLASSES
from edge_retrieve.runtime.preprocess.decode import TRANSFER_SYNTAXES

IMAGE_CLASSES: tuple[UID, ...] = tuple(UID(text) for text in sorted(XRAY_CLASSES) if text)
"""Images that the pixel path reads."""

REPORT_CLASSES: tuple[UID, ...] = (
    uid.BasicTextSRStorage,
    uid.EnhancedSRStorage,
    uid.ComprehensiveSRStorage,
    uid.Comprehensive3DSRStorage,
)
"""Structured reports whose text is read."""

SYNTAXES: tuple[UID, ...] = tuple(sorted(TRANSFER_SYNTAXES))
"""Transfer syntaxes that the pixel path decodes."""

REPORT_SYNTAXES: tuple[UID, ...] = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
)
"""Transfer syntaxes of objects without pixels."""


def storage_contexts() -> dict[UID, tuple[UID, ...]]:
    """Return the transfer syntaxes accepted for each storage SOP class."""
    accepted = dict.fromkeys(IMAGE_CLASSES, SYNTAXES)
    accepted.update(dict.fromkeys(REPORT_CLASSES, REPORT_SYNTAXES))
    return accepted
