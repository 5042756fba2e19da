from __future__ import annotations

import time
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.phantom.contact import windowed
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.spec import (
    PLACEMENTS,
    CaseSpec,
    Lesion,
    PhantomImage,
    Severity,
    implied_regions,
)

SIZE = 256
# Findings as large as the region asked for, or running through it: their centre may lie outside.
EXTENDED = {
    Finding.PULMONARY_EDEMA, Finding.PLEURAL_EFFUSION, Finding.PNEUMOTHORAX, Finding.CENTRAL_LINE,
    Finding.ENDOTRACHEAL_TUBE, Finding.ENTERIC_TUBE, Finding.PACEMAKER,
}  # fmt: skip
GEOMETRIC = {
    Finding.CARDIOMEGALY, Finding.AORTIC_ENLARGEMENT, Finding.MEDIASTINAL_WIDENING,
    Finding.ELEVATED_HEMIDIAPHRAGM, Finding.SCOLIOSIS,
}  # fmt: skip


def spec(patient: int, *lesions: Lesion, study: int = 5, view: View = View.PA) -> CaseSpec:
    return CaseSpec(patient, study, view, lesions)


@cache
def healthy(patient: int, study: int = 5) -> PhantomImage:
    return render(spec(patient, study=study), SIZE)


def shown(image: PhantomImage) -> npt.NDArray[np.float32]:
    return windowed(image).astype(np.float32) / 255


def centre(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    ys, xs = np.nonzero(mask)
    return float(xs.mean() + 0.5), float(ys.mean() + 0.5)


def share_inside(mask: npt.NDArray[np.bool_], box: Box) -> float:
    ys, xs = np.nonzero(mask)
    inside = (xs + 0.5 >= box.x1) & (xs + 0.5 < box.x2) & (ys + 0.5 >= box.y1) & (ys + 0.5 < box.y2)
    return float(inside.mean())


def test_equal_specs_render_equal_bits_in_any_order() -> None:
    lesion = Lesion(Finding.INTERSTITIAL_OPACITY, Region.LEFT_MID_LUNG_ZONE, Severity.MODERATE, 4)
    first = render(spec(1, lesion), SIZE)
    render(spec(2), SIZE)
    again = render(spec(1, lesion), SIZE)
    assert np.array_equal(first.pixels, again.pixels)
    assert first.boxes == again.boxes
    assert np.array_equal(first.findings[0].mask, again.findings[0].mask)


def test_patients_and_studies_differ() -> None:
    one, other_study, other_patient = (
        render(CaseSpec(p, s, View.PA, ()), SIZE).pixels for p, s in ((1, 1), (1, 2), (2, 1))
    )
    assert np.abs(one.astype(int) - other_study).mean() > 50
    assert np.abs(one.astype(int) - other_patient).mean() > 50


@pytest.mark.parametrize("patient", range(10))
def test_every_region_has_a_box_in_the_image(patient: int) -> None:
    image = render(spec(patient, study=patient + 40, view=View.AP if patient % 2 else View.PA), SIZE)
    assert set(image.boxes) == set(REGIONS)
    for box in image.boxes.values():
        assert 0 <= box.x1 < box.x2 <= SIZE
        assert 0 <= box.y1 < box.y2 <= SIZE
        assert min(box.width, box.height) >= 1


@pytest.mark.parametrize("patient", range(6))
def test_the_image_is_a_chest(patient: int) -> None:
    image = render(spec(patient, study=patient), SIZE)
    assert image.pixels.dtype == np.uint16
    assert image.pixels.shape == (SIZE, SIZE)
    assert image.pixels.max() <= 4095
    assert image.sex in {"M", "F"}
    assert 18 <= image.age <= 95
    picture, boxes = shown(image), image.boxes

    def mean(region: Region, x: float, y: float) -> float:
        box = boxes[region]
        px, py = box.x1 + x * box.width, box.y1 + y * box.height
        return float(picture[int(py) - 4 : int(py) + 5, int(px) - 4 : int(px) + 5].mean())

    lungs = [mean(Region.RIGHT_LUNG, 0.5, 0.45), mean(Region.LEFT_LUNG, 0.55, 0.35)]
    dense = [mean(Region.CARDIAC_SILHOUETTE, 0.45, 0.6), mean(Region.ABDOMEN, 0.25, 0.7)]
    assert max(lungs) + 0.08 < min(dense)


@pytest.mark.parametrize("patient", range(4))
def test_boxes_lie_as_in_a_frontal_image(patient: int) -> None:
    boxes = render(spec(patient, study=patient + 3), SIZE).boxes
    for side in ("right", "left"):
        lung = boxes[Region(f"{side} lung")]
        parts = ("upper lung zone", "mid lung zone", "lower lung zone", "apical zone")
        for part in parts:
            box = boxes[Region(f"{side} {part}")]
            assert box.intersect(lung).area > 0.95 * box.area
        upper, mid, lower = (boxes[Region(f"{side} {part}")] for part in parts[:3])
        assert upper.y2 == pytest.approx(mid.y1, abs=0.01)
        assert mid.y2 == pytest.approx(lower.y1, abs=0.01)
        assert boxes[Region(f"{side} costophrenic angle")].intersect(lower).area > 0
    assert boxes[Region.RIGHT_LUNG].x2 < boxes[Region.LEFT_LUNG].x1  # the patient's right: image left
    assert boxes[Region.RIGHT_COSTOPHRENIC_ANGLE].x1 < boxes[Region.LEFT_COSTOPHRENIC_ANGLE].x1
    assert boxes[Region.TRACHEA].y2 <= boxes[Region.CARINA].y2 < boxes[Region.RIGHT_ATRIUM].y2
    assert boxes[Region.SVC].x1 < boxes[Region.AORTIC_ARCH].x1
    assert boxes[Region.ABDOMEN].y2 > boxes[Region.CARDIAC_SILHOUETTE].y2


@pytest.mark.parametrize("finding", list(PLACEMENTS), ids=lambda finding: finding.name)
def test_a_lesion_shows_where_it_is_asked_for(finding: Finding) -> None:
    for number, region in enumerate(PLACEMENTS[finding]):
        lesion = Lesion(finding, region, list(Severity)[number % 3], number)
        image = render(spec(7 + number, lesion, study=number), SIZE)
        (placed,), boxes = image.findings, image.boxes
        assert placed.lesion == lesion
        assert placed.regions == implied_regions(finding, region)
        x, y = centre(placed.mask)
        box = boxes[region]
        if finding in EXTENDED:
            assert share_inside(placed.mask, box) > 0.02
        else:
            assert box.x1 - 1 <= x <= box.x2 + 1, region
            assert box.y1 - 3 <= y <= box.y2 + 3, region
        ys, xs = np.nonzero(placed.mask)
        assert placed.box.as_tuple() == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        spine = 0.5 * (boxes[Region.RIGHT_LUNG].x2 + boxes[Region.LEFT_LUNG].x1)
        if finding not in EXTENDED | {Finding.CARDIOMEGALY} or finding is Finding.PNEUMOTHORAX:
            if region.value.startswith("right ") and region is not Region.RIGHT_ATRIUM:
                assert x < spine
            if region.value.startswith("left "):
                assert x > spine


@pytest.mark.parametrize("finding", [f for f in PLACEMENTS if f not in GEOMETRIC], ids=lambda f: f.name)
def test_a_lesion_changes_its_mask_and_hardly_anything_else(finding: Finding) -> None:
    region = PLACEMENTS[finding][0]
    sick, twin = render(spec(31, Lesion(finding, region, Severity.SEVERE, 2)), SIZE), healthy(31)
    assert sick.boxes == twin.boxes
    mask = sick.findings[0].mask
    change = np.abs(shown(sick) - shown(twin))
    reach = cv2.dilate(mask.astype(np.uint8), np.ones((31, 31), np.uint8)) > 0
    assert change[mask].mean() > 4 * change[~reach].mean()
    assert change[~reach].mean() < 0.012


@pytest.mark.parametrize("finding", list(PLACEMENTS), ids=lambda finding: finding.name)
def test_severity_grows(finding: Finding) -> None:
    weights = []
    for severity in (Severity.MILD, Severity.SEVERE):
        sick = render(spec(50, Lesion(finding, PLACEMENTS[finding][0], severity, 2)), SIZE)
        change = np.abs(shown(sick) - shown(healthy(50)))
        weights.append(float(change[sick.findings[0].mask].sum()))
    assert weights[0] < weights[1]


def test_opacities_brighten_and_air_darkens() -> None:
    twin = shown(healthy(12))
    for finding, region, sign in (
        (Finding.NODULE, Region.RIGHT_MID_LUNG_ZONE, 1),
        (Finding.PLEURAL_EFFUSION, Region.LEFT_COSTOPHRENIC_ANGLE, 1),
        (Finding.CONSOLIDATION, Region.LEFT_MID_LUNG_ZONE, 1),
        (Finding.PNEUMOTHORAX, Region.RIGHT_APICAL_ZONE, -1),
    ):
        image = render(spec(12, Lesion(finding, region, Severity.SEVERE, 1)), SIZE)
        change = (shown(image) - twin)[image.findings[0].mask].mean()
        assert sign * change > 0.01, finding


def test_lesions_of_the_shape_move_the_boxes() -> None:
    plain = healthy(9).boxes

    def boxes(finding: Finding, region: Region) -> dict[Region, Box]:
        return dict(render(spec(9, Lesion(finding, region, Severity.SEVERE, 1)), SIZE).boxes)

    heart = boxes(Finding.CARDIOMEGALY, Region.CARDIAC_SILHOUETTE)[Region.CARDIAC_SILHOUETTE]
    assert heart.width > 1.2 * plain[Region.CARDIAC_SILHOUETTE].width
    knob = boxes(Finding.AORTIC_ENLARGEMENT, Region.AORTIC_ARCH)[Region.AORTIC_ARCH]
    assert knob.area > 1.2 * plain[Region.AORTIC_ARCH].area
    wide = boxes(Finding.MEDIASTINAL_WIDENING, Region.UPPER_MEDIASTINUM)[Region.UPPER_MEDIASTINUM]
    assert wide.width > 1.3 * plain[Region.UPPER_MEDIASTINUM].width
    raised = boxes(Finding.ELEVATED_HEMIDIAPHRAGM, Region.LEFT_HEMIDIAPHRAGM)
    assert raised[Region.LEFT_HEMIDIAPHRAGM].y1 < plain[Region.LEFT_HEMIDIAPHRAGM].y1 - 5
    assert raised[Region.RIGHT_LUNG] == plain[Region.RIGHT_LUNG]
    bent = boxes(Finding.SCOLIOSIS, Region.SPINE)[Region.SPINE]
    assert bent.width > plain[Region.SPINE].width + 5


def test_several_lesions_keep_their_order() -> None:
    lesions = (
        Lesion(Finding.PACEMAKER, Region.LEFT_UPPER_LUNG_ZONE, Severity.MODERATE, 1),
        Lesion(Finding.PLEURAL_EFFUSION, Region.RIGHT_COSTOPHRENIC_ANGLE, Severity.MODERATE, 2),
        Lesion(Finding.CARDIOMEGALY, Region.CARDIAC_SILHOUETTE, Severity.MILD, 3),
    )
    assert tuple(placed.lesion for placed in render(spec(3, *lesions), SIZE).findings) == lesions


def test_what_cannot_be_rendered_is_refused() -> None:
    with pytest.raises(ConfigError, match="multiple of 4"):
        render(spec(1), 250)
    with pytest.raises(ConfigError, match="use PA or AP"):
        render(spec(1, view=View.LATERAL), SIZE)
    wrong = Lesion(Finding.CARDIOMEGALY, Region.RIGHT_LUNG, Severity.MILD, 1)
    with pytest.raises(ConfigError, match="cardiac silhouette"):
        render(spec(1, wrong), SIZE)


def test_the_same_anatomy_at_every_size() -> None:
    lesion = Lesion(Finding.MASS, Region.LEFT_UPPER_LUNG_ZONE, Severity.MODERATE, 3)
    small, large = render(spec(4, lesion), 256), render(spec(4, lesion), 512)
    for region in REGIONS:
        a, b = small.boxes[region], large.boxes[region]
        assert np.allclose(np.array(a.as_tuple()) * 2, b.as_tuple(), atol=1e-6)
    halved = cv2.resize(shown(large), (256, 256), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(halved.ravel(), shown(small).ravel())[0, 1] > 0.95


def test_speed() -> None:
    render(spec(1), 512)
    start = time.process_time()
    for number in range(5):
        render(spec(number), 512)
    assert (time.process_time() - start) / 5 < 0.5
