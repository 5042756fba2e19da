"""Anatomy: the 29 regions, their boxes and sides, and where report phrases point."""

from edge_retrieve.runtime.anatomy.boxes import Box, boxes_to_array
from edge_retrieve.runtime.anatomy.regions import REGIONS, Laterality, Region

__all__ = ["REGIONS", "Box", "Laterality", "Region", "boxes_to_array"]
