from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.spec import PLACEMENTS, CaseSpec, Lesion, Severity


def spec(patient: int, *lesions: Lesion, study: int = 5, view: View = View.PA) -> CaseSpec:
    return CaseSpec(patient, study, view, lesions)


def test_equal_specs_render_equal_bits() -> None:
    lesion = Lesion(Finding.NODULE, PLACEMENTS[Finding.NODULE][0], Severity.MODERATE, 4)
    first = render(spec(1, lesion), 256)
    render(spec(2), 256)
    again = render(spec(1, lesion), 256)
    assert np.array_equal(first.pixels, again.pixels)
    assert first.boxes == again.boxes
    assert np.array_equal(first.findings[0].mask, again.findings[0].mask)


@pytest.mark.parametrize("patient", range(12))
def test_every_region_has_a_box_in_the_image(patient: int) -> None:
    image = render(spec(patient, study=patient + 40, view=View.AP if patient % 2 else View.PA), 256)
    assert set(image.boxes) == set(REGIONS)
    for box in image.boxes.values():
        assert 0 <= box.x1 < box.x2 <= 256
        assert 0 <= box.y1 < box.y2 <= 256


@pytest.mark.parametrize("finding", list(PLACEMENTS), ids=lambda finding: finding.name)
def test_a_lesion_shows_in_its_region(finding: Finding) -> None:
    for number, region in enumerate(PLACEMENTS[finding]):
        image = render(spec(7 + number, Lesion(finding, region, Severity.MODERATE, number)), 256)
        (placed,) = image.findings
        ys, xs = np.nonzero(placed.mask)
        box = image.boxes[region]
        inside = (xs + 0.5 >= box.x1) & (xs + 0.5 < box.x2) & (ys + 0.5 >= box.y1) & (ys + 0.5 < box.y2)
        assert inside.any()
