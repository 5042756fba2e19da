"""Text burnt into pictures is found and covered; pictures without text are left alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.deid.burnt_in import cover, find_text
from edge_retrieve.runtime.preprocess import load_radiograph

REAL = Path(__file__).parents[4] / "shared" / "data" / "cxr" / "images"
NAMES = ("DOE^JANE", "Smith, John", "MRN 4471902", "ST. MARY HOSPITAL")


@pytest.fixture(scope="module")
def backgrounds():
    """Smooth pictures with the coarse structure of a chest: bright middle, dark lungs, ribs."""
    rng = np.random.default_rng(5)
    pictures = []
    for _ in range(12):
        y, x = np.mgrid[0:640, 0:560] / 600
        lungs = np.exp(-(((x - 0.28) / 0.16) ** 2 + ((y - 0.5) / 0.3) ** 2))
        lungs += np.exp(-(((x - 0.66) / 0.16) ** 2 + ((y - 0.5) / 0.3) ** 2))
        ribs = 0.05 * np.sin(40 * y + 6 * (x - 0.47) ** 2 * 10)
        grey = 0.65 - 0.45 * lungs + ribs + 0.02 * rng.normal(size=x.shape)
        grey[:60], grey[-60:] = 0.05, 0.1
        pictures.append(np.clip(cv2.GaussianBlur(grey, (0, 0), 1.2), 0, 1).astype(np.float32))
    return pictures


def write(picture, text, size, *, hershey, ink, at=(20, 12)):
    """Return the picture with text in it, and the box of its letters."""
    grey = (picture * 255).astype(np.uint8)
    if hershey:
        scale = size / 30
        (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        place = (at[0], at[1] + tall)
        cv2.putText(grey, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, int(ink * 255), 1, cv2.LINE_AA)
        box = Box(at[0], at[1], at[0] + wide, at[1] + tall)
    else:
        image = Image.fromarray(grey)
        draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
        draw.text(at, text, fill=int(ink * 255), font=font)
        box = Box(*map(float, draw.textbbox(at, text, font=font)))
        grey = np.asarray(image)
    return grey.astype(np.float32) / 255, box


def share_covered(box, boxes, shape):
    mask = np.zeros(shape, bool)
    for b in boxes:
        mask[int(b.y1) : int(np.ceil(b.y2)), int(b.x1) : int(np.ceil(b.x2))] = True
    return mask[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)].mean()


@pytest.mark.parametrize("hershey", [False, True])
@pytest.mark.parametrize("size", [14, 20, 32])
def test_names_in_a_corner_are_found_whole(backgrounds, size, hershey):
    covered = [
        share_covered(box, find_text(written), written.shape)
        for picture, name in zip(backgrounds, NAMES * 3, strict=True)
        for written, box in [write(picture, name, size, hershey=hershey, ink=0.98)]
    ]
    assert np.mean(np.asarray(covered) > 0.8) >= 0.9, covered


def test_dark_letters_on_white_are_found(backgrounds):
    picture = backgrounds[0].copy()
    picture[:50, :300] = 0.98
    written, box = write(picture, NAMES[0], 24, hershey=False, ink=0.02)
    assert share_covered(box, find_text(written), written.shape) > 0.8


def test_text_along_the_side_is_found(backgrounds):
    turned = np.ascontiguousarray(np.rot90(backgrounds[1]))
    written, _ = write(turned, NAMES[2], 22, hershey=False, ink=0.98)
    assert find_text(np.ascontiguousarray(np.rot90(written, -1)))


def test_pictures_without_text_are_left_alone(backgrounds):
    assert [find_text(picture) for picture in backgrounds] == [()] * len(backgrounds)
    assert find_text(np.zeros((4, 4), np.float32)) == ()


@pytest.mark.parametrize("marker", ["L", "R", "PA", "AP"])
def test_a_side_marker_is_no_identity(backgrounds, marker):
    written, _ = write(backgrounds[2], marker, 36, hershey=False, ink=1.0)
    assert find_text(written) == ()


def test_what_is_covered_cannot_be_found_or_read_again(backgrounds):
    written, box = write(backgrounds[3], NAMES[3], 26, hershey=False, ink=0.98)
    boxes = find_text(written)
    covered = cover(written, boxes)
    assert find_text(covered) == ()
    inside = covered[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)]
    assert inside.max() < 0.5
    outside = np.ones(written.shape, bool)
    for b in boxes:
        outside[int(b.y1) : int(np.ceil(b.y2)), int(b.x1) : int(np.ceil(b.x2))] = False
    np.testing.assert_array_equal(covered[outside], written[outside])


def test_a_large_picture_is_searched_in_a_smaller_one(backgrounds):
    large = cv2.resize(backgrounds[4], (2800, 3200))
    written, box = write(large, NAMES[1], 70, hershey=False, ink=0.98, at=(100, 60))
    boxes = find_text(written)
    assert share_covered(box, boxes, written.shape) > 0.8
    assert all(b.x2 <= 2800 and b.y2 <= 3200 for b in boxes)


# Seen by eye to bear lines of four letters and more, such as "SUPINO A LETTO".
WITH_TEXT = (
    *("069e2d73cf13", "10ef3db41ace", "2096b5f282b4", "21a5f91eb55b", "29ee990f48df", "4025d3f2d5a7"),
    *("41f94dd26175", "4c39798e6168", "50b2a5e4e29b", "56e906cb26d9", "5dc1391fcde7", "664489178165"),
    *("873a223049b9", "92efdeb3f071", "ccd68ad7708c", "d0f5ecaba6bb", "d460677d7899", "e3e36d0589a8"),
    "f7c9d897e8ce",
)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real X-rays of ../shared are not here")
def test_text_of_real_x_rays_is_found_with_few_false_alarms():
    found = {path.stem for path in REAL.glob("*.jpg") if find_text(load_radiograph(path).pixels)}
    assert len(found & set(WITH_TEXT)) >= 18
    assert len(found - set(WITH_TEXT)) <= 2
