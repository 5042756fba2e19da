"""Which findings are devices: put there, not grown there."""

from __future__ import annotations

from edge_retrieve.runtime.findings.vocabulary import Finding

DEVICES = frozenset({
    Finding.PACEMAKER,
    Finding.CENTRAL_LINE,
    Finding.ENDOTRACHEAL_TUBE,
    Finding.ENTERIC_TUBE,
    Finding.CHEST_TUBE,
    Finding.STERNAL_WIRES,
})  # fmt: skip
