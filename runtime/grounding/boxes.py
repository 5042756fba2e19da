"""Boxes around what a map shows: several, or none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Box

# Part of the highest value that a place must have to belong to a box: half of it, as full width at half
# maximum measures a peak.
BOX_LEVEL = 0.5


def boxes_of(
    values: npt.NDArray[np.float32], width: float, height: float, level: float = BOX_LEVEL
) -> list[tuple[Box, float]]:
    """Return the boxes around the connected places of at least `level`, and their highest values.

    Places are connected by their edges. The highest comes first.

    Parameters
    ----------
    values : float32 array of shape [rows, columns]
        0 to 1.
    width, height : float
        Size of the image over which the places are spread.
    level : float
        Above 0.
    """
    rows, columns = values.shape
    left = {(int(row), int(column)) for row, column in np.argwhere(values >= level)}
    found = []
    while left:
        group, edge = set(), [left.pop()]
        while edge:
            row, column = edge.pop()
            group.add((row, column))
            beside = {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)} & left
            left -= beside
            edge += beside
        downs, acrosses = [row for row, _ in group], [column for _, column in group]
        box = Box(
            min(acrosses) * width / columns,
            min(downs) * height / rows,
            (max(acrosses) + 1) * width / columns,
            (max(downs) + 1) * height / rows,
        )
        found.append((box, max(float(values[place]) for place in group)))
    return sorted(found, key=lambda each: (-each[1], each[0].as_tuple()))
