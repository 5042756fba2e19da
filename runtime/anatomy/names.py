"""From what a person types to a region."""

from __future__ import annotations

import difflib

from edge_retrieve.runtime.anatomy.regions import Region
from edge_retrieve.runtime.errors import QueryError


def region_named(name: str) -> Region:
    """Return the region with a name; case, and hyphens or underscores for spaces, do not matter.

    Raises
    ------
    QueryError
        Where there is none; names the closest ones.
    """
    folded = " ".join(name.replace("-", " ").replace("_", " ").lower().split())
    try:
        return Region(folded)
    except ValueError:
        close = difflib.get_close_matches(folded, [region.value for region in Region], n=3, cutoff=0.5)
        raise QueryError(
            f"there is no region '{name}'",
            remedy=f"Did you mean: {', '.join(close)}?"
            if close
            else "The 29 regions are those of Chest ImaGenome, such as 'right lower lung zone'",
        ) from None
