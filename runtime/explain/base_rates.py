"""How common each finding is in each region of an archive: what chance alone would find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.explain.votes import Floats
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.store import Store
from edge_retrieve.runtime.store.embeddings import Watermark

FINDINGS: tuple[Finding, ...] = tuple(Finding)


@dataclass(frozen=True)
class BaseRates:
    """Findings counted.

    Parameters
    ----------
    reports : int
        Cases with a report.
    counts : mapping of (Finding, Region or None) to int
        Reports that state the finding as present in the region; None for anywhere. What is not there is 0.
    """

    reports: int
    counts: Mapping[tuple[Finding, Region | None], int] = field(default_factory=dict)

    def rate(self, finding: Finding, region: Region | None) -> float:
        """Return the share of reports that state a finding in a region; 0 where there are none."""
        return self.counts.get((finding, region), 0) / self.reports if self.reports else 0.0

    def rates(self, region: Region | None) -> Floats:
        """Return the rates of all findings in a region, shape [33], in the order of `Finding`."""
        return np.array([self.rate(finding, region) for finding in FINDINGS])

    def rare(self, most: float) -> tuple[Finding, ...]:
        """Return the findings that some reports state, but not more than a share `most` of them."""
        return tuple(finding for finding in FINDINGS if 0 < self.rate(finding, None) <= most)


class ArchiveRates:
    """The base rates of a store, counted again only when its reports change.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: tuple[Watermark, BaseRates] | None = None

    def current(self) -> BaseRates:
        """Return the store's rates as of now."""
        watermark = self._store.watermark(Modality.TEXT)
        known = self._known
        if known is None or known[0] != watermark:
            known = watermark, _count(self._store)
            self._known = known
        return known[1]


def _count(store: Store) -> BaseRates:
    reports, named = store.finding_counts()
    regions, findings = {region.value for region in Region}, {finding.value for finding in Finding}
    counts: dict[tuple[Finding, Region | None], int] = {}
    for (finding, region), count in named.items():
        if finding in findings and (region is None or region in regions):
            counts[Finding(finding), None if region is None else Region(region)] = count
    return BaseRates(reports, counts)
