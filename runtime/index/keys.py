"""The names of partitions."""

from __future__ import annotations

from dataclasses import dataclass

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.hits import Modality


@dataclass(frozen=True)
class PartitionKey:
    """Names a partition.

    Parameters
    ----------
    modality : Modality
    region : Region or None
        None stands for the whole image or report.
    """

    modality: Modality
    region: Region | None

    @property
    def name(self) -> str:
        """Name of its files."""
        place = "whole" if self.region is None else self.region.value.replace(" ", "-")
        return f"{self.modality.value}.{place}"


ALL_PARTITIONS = tuple(PartitionKey(modality, region) for modality in Modality for region in (None, *REGIONS))
