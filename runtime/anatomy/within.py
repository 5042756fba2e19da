"""Which regions lie inside which: a finding in a part is one in the whole."""

from __future__ import annotations

from collections.abc import Mapping

from edge_retrieve.runtime.anatomy.regions import Region

_LUNG_PARTS = (
    "upper lung zone", "mid lung zone", "lower lung zone", "hilar structures", "apical zone",
    "costophrenic angle",
)  # fmt: skip

PARTS: Mapping[Region, frozenset[Region]] = {
    **{
        Region(f"{side} lung"): frozenset(Region(f"{side} {part}") for part in _LUNG_PARTS)
        for side in ("right", "left")
    },
    **{
        Region(f"{side} upper lung zone"): frozenset({Region(f"{side} apical zone")})
        for side in ("right", "left")
    },
    **{
        Region(f"{side} lower lung zone"): frozenset({Region(f"{side} costophrenic angle")})
        for side in ("right", "left")
    },
    Region.MEDIASTINUM: frozenset(
        {
            Region.UPPER_MEDIASTINUM,
            Region.CARDIAC_SILHOUETTE,
            Region.AORTIC_ARCH,
            Region.SVC,
            Region.TRACHEA,
            Region.CARINA,
            Region.CAVOATRIAL_JUNCTION,
            Region.RIGHT_ATRIUM,
        }
    ),
    Region.UPPER_MEDIASTINUM: frozenset({Region.AORTIC_ARCH, Region.SVC, Region.TRACHEA}),
    Region.CARDIAC_SILHOUETTE: frozenset({Region.RIGHT_ATRIUM, Region.CAVOATRIAL_JUNCTION}),
}
"""The parts of each region that has any."""


def share_ground(one: Region, other: Region) -> bool:
    """Return whether two regions are the same, or one is a part of the other."""
    return one is other or other in PARTS.get(one, ()) or one in PARTS.get(other, ())
