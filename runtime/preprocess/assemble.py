"""The last step of every format: identifiers, view, digest and the frozen result."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_retrieve.runtime.preprocess.grey import GreyImage
from edge_retrieve.runtime.preprocess.types import Flag, FloatImage, Radiograph, View


@dataclass(frozen=True)
class Identity:
    """What a file says about whose image it is; empty strings where it says nothing."""

    patient: str = ""
    study: str = ""
    sop_instance: str = ""
    study_date: str = ""
    sex: str = ""
    age: float | None = None
    accession: str = ""


def assemble(
    pixels: FloatImage,
    view: View | None,
    found: View,
    note: str,
    identity: Identity,
    applied: Sequence[str],
    flags: Sequence[Flag],
    grey: GreyImage | None = None,
) -> Radiograph:
    """Put a radiograph together.

    Parameters
    ----------
    pixels : float32 array of shape [H, W]
    view : View or None
        What the caller says; goes before `found`.
    found : View
        What the file says.
    note : str
        How `found` was found.
    identity : Identity
    applied : sequence of str
    flags : sequence of Flag
        Repeated ones are merged.
    grey : GreyImage, optional
    """
    pixels = np.ascontiguousarray(pixels, dtype=np.float32)
    pixels.flags.writeable = False
    digest = pixels_digest(pixels)
    final = found if view is None else view
    steps = [*applied, note if view is None else f"view: {view.value} given by the caller"]
    doubts = list(flags)
    if final is View.LATERAL:
        doubts.append(Flag.LATERAL_VIEW)
    if final is View.UNKNOWN:
        doubts.append(Flag.UNKNOWN_VIEW)
    return Radiograph(
        pixels=pixels,
        view=final,
        patient=identity.patient or patient_from_pixels(digest),
        study=identity.study or uid_from_pixels(digest, "study"),
        sop_instance=identity.sop_instance or uid_from_pixels(digest, "instance"),
        study_date=identity.study_date,
        sex=identity.sex,
        age=identity.age,
        applied=tuple(steps),
        flags=tuple(dict.fromkeys(doubts)),
        pixels_sha256=digest,
        accession=identity.accession,
        grey=grey,
    )


def pixels_digest(pixels: FloatImage) -> str:
    """Return the SHA-256 of an image: its shape as text, then little-endian float32 rows."""
    digest = hashlib.sha256(f"{pixels.shape[0]}x{pixels.shape[1]}:".encode())
    digest.update(np.ascontiguousarray(pixels, dtype="<f4").data)
    return digest.hexdigest()


def uid_from_pixels(digest: str, kind: str) -> str:
    """Return a UID under the UUID root (PS3.5 B.2) that equal pixels always get."""
    number = int.from_bytes(hashlib.sha256(f"{kind}:{digest}".encode()).digest()[:16], "big")
    return f"2.25.{number}"


def patient_from_pixels(digest: str) -> str:
    """Return the name that stands for a patient whom the file does not identify."""
    return f"image-{digest[:16]}"
