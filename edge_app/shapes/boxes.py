"""A box as it is written."""

from __future__ import annotations

BoxEdges = tuple[float, float, float, float]
"""``(x1, y1, x2, y2)`` in pixels of the image as displayed at full size."""
