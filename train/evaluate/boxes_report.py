"""Region-box figures as the JSON that other tools read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.train.evaluate.boxes import RegionBoxes, figures_by_region, mean_figures


def boxes_json(archives: Sequence[RegionBoxes]) -> dict[str, Any]:
    """Return the means over archives, and those of each region as rows."""
    means = [asdict(mean_figures(archive)) for archive in archives]
    together = RegionBoxes(
        *(
            np.concatenate([getattr(archive, name) for archive in archives])
            for name in ("found", "true", "scores")
        )
    )
    return {
        **{name: float(np.mean([each[name] for each in means])) for name in means[0] if name != "boxes"},
        "boxes": sum(each["boxes"] for each in means),
        "by_region": [
            {"region": region.value, **asdict(figures)}
            for region, figures in zip(REGIONS, figures_by_region(together), strict=True)
            if figures is not None
        ],
    }
