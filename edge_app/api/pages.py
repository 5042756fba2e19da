"""The parameters of lists that come in pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

LARGEST_PAGE = 500  # entries
_LAST = 10_000_000

Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]
"""How many entries of a list."""

Offset = Annotated[int, Query(ge=0, le=_LAST)]
"""After how many."""
