"""How sure the labels read from reports are."""

from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.train.datasets.corpus import certainty, supervise

RIGHT, LEFT = Region.RIGHT_LOWER_LUNG_ZONE.position, Region.LEFT_LOWER_LUNG_ZONE.position


@pytest.mark.parametrize(
    ("report", "unsure"),
    [
        ("Consolidation in the left lower lung zone.", False),
        ("Possible consolidation in the left lower lung zone.", True),
        ("Left lower lung zone opacity may represent consolidation.", True),
        ("No consolidation in the left lower lung zone.", False),
        # What is doubted in one sentence and stated in another is stated.
        ("Possible consolidation in the left lower lung zone. Left lower lung zone consolidation.", False),
        # Another finding stated there does not settle the doubted one.
        ("Possible nodule in the left lower lung zone. Left lower lung zone consolidation.", True),
    ],
)
def test_doubt_lowers_the_weight_of_its_region_alone(report: str, unsure: bool) -> None:
    weights = certainty([report, "The lungs are clear."], 0.25)
    assert weights.shape == (2, 29)
    assert weights[0, LEFT] == (0.25 if unsure else 1.0)
    assert weights[0, RIGHT] == 1.0
    assert np.all(weights[1] == 1.0)


def test_labels_are_those_of_stated_findings_as_before() -> None:
    labels, _ = supervise(["Possible consolidation in the left lower lung zone."])
    assert not labels.any()
