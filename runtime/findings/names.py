"""From what a person types to a finding."""

from __future__ import annotations

import difflib

from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.findings.vocabulary import Finding


def finding_named(name: str) -> Finding:
    """Return the finding with a name; case, and hyphens or underscores for spaces, do not matter.

    Raises
    ------
    QueryError
        Where there is none; names the closest ones.
    """
    folded = " ".join(name.replace("-", " ").replace("_", " ").lower().split())
    try:
        return Finding(folded)
    except ValueError:
        known = [finding.value for finding in Finding]
        close = difflib.get_close_matches(folded, known, n=3, cutoff=0.5) or known
        raise QueryError(
            f"there is no finding '{name}'", remedy=f"Did you mean: {', '.join(close)}?"
        ) from None
