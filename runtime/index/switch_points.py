"""Which form a partition takes by its size, and where the sizes measured on a machine are kept."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.index import kernel

FILE_NAME = "switch-points.json"

CODES_FROM = 1024
"""Rows from which codes are scanned; below, NumPy's product with all rows is as fast."""

GRAPH_FROM = 1_000_000
"""Rows from which a graph is walked; `bench search --calibrate` measures where it pays on a machine.
At 131,072 rows a walk took eleven times as long as a scan of codes."""

GRAPH_FROM_WITHOUT_CODES = 32_768
"""The same where there is no compiled scan (`kernel`). A walk misses neighbours where the query comes from
elsewhere than the rows, as a text asking images does, and its links take long to build."""


class Form(str, Enum):
    """How a partition's rows are searched."""

    ROWS = "float32 rows, scanned"
    CODES = "codes, scanned, float32 rows decide"
    GRAPH = "bfloat16 graph, walked, float32 rows decide"


@dataclass(frozen=True)
class SwitchPoints:
    """Rows from which a form is taken.

    Parameters
    ----------
    codes, graph : int
    """

    codes: int = CODES_FROM
    graph: int = GRAPH_FROM

    def form(self, count: int) -> Form:
        """Return the form for so many rows on this machine."""
        has_codes = kernel.available()
        if count >= (self.graph if has_codes else min(self.graph, GRAPH_FROM_WITHOUT_CODES)):
            return Form.GRAPH
        return Form.CODES if has_codes and count >= self.codes else Form.ROWS


DEFAULT_SWITCH_POINTS = SwitchPoints()


def load_switch_points(store: Path) -> SwitchPoints:
    """Return what `save_switch_points` kept in a store's folder; the defaults where it kept nothing sound."""
    try:
        held = SwitchPoints(**json.loads((store / FILE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return DEFAULT_SWITCH_POINTS
    sound = all(type(value) is int and value > 0 for value in (held.codes, held.graph))
    return held if sound else DEFAULT_SWITCH_POINTS


def save_switch_points(store: Path, switch: SwitchPoints) -> None:
    """Keep switch points in a store's folder; partitions written from now on heed them.

    Raises
    ------
    StoreError
        Where the folder cannot be written.
    """
    temporary = store / f".{FILE_NAME}.{os.getpid()}.tmp"
    try:
        temporary.write_text(json.dumps(asdict(switch)), encoding="utf-8")
        temporary.replace(store / FILE_NAME)
    except OSError as error:
        raise StoreError(
            f"the switch points cannot be kept ({error.strerror or error})",
            where=str(store),
            remedy="Name a store that can be written",
        ) from error
