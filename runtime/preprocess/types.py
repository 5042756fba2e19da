"""What the pixel path hands on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from edge_retrieve.runtime.preprocess.grey import GreyImage

FloatImage = npt.NDArray[np.float32]
UIntImage = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class View(str, Enum):
    """The projection of a chest X-ray."""

    PA = "PA"
    AP = "AP"
    LATERAL = "LATERAL"
    UNKNOWN = "UNKNOWN"


class Flag(str, Enum):
    """A doubt about an image that its reader must know of; the image is kept."""

    LATERAL_VIEW = "lateral view"
    UNKNOWN_VIEW = "unknown view"
    NO_WINDOW = "no VOI window in the file: full range used"
    COLOUR = "colour image reduced to luminance"
    LOW_DETAIL = "fewer than 64 grey levels"
    UNDECLARED = "the header does not declare a chest X-ray"
    RAW_DETECTOR = "raw detector values (FOR PROCESSING), not meant for display"
    REORIENTED = "flipped or rotated as the header asks: check the side marker"
    TEXT_COVERED = "text in the picture was covered: it may have named somebody"
    HEADER_IGNORED = "a damaged or contradictory header field was ignored"


@dataclass(frozen=True)
class Radiograph:
    """One X-ray, ready to display and to encode.

    Parameters
    ----------
    pixels : float32 array of shape [H, W]
        Display intensity 0 (black) to 1 (white); dense tissue is bright whatever the file's photometry.
    view : View
    patient, study, sop_instance : str
        Identifiers as in the file; derived from the pixels' hash where the format has none.
    study_date : str
        ``YYYYMMDD`` or empty.
    sex : str
        ``M``, ``F``, ``O`` or empty.
    age : float or None
        Years.
    applied : tuple of str
        Every step applied to the stored values, in order, for the record.
    flags : tuple of Flag
    pixels_sha256 : str
        Hex digest of `pixels` and their shape: equal images have equal digests.
    accession : str
        Number of the order; empty where the file has none.
    grey : GreyImage or None
        Grey values of the same size, for a viewer to window; only where they were asked for.
    """

    pixels: FloatImage
    view: View
    patient: str
    study: str
    sop_instance: str
    study_date: str
    sex: str
    age: float | None
    applied: tuple[str, ...]
    flags: tuple[Flag, ...]
    pixels_sha256: str
    accession: str = ""
    grey: GreyImage | None = None
