"""Grey levels, zoom, turns; two images moved together."""

import io

import numpy as np
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
expect = playwright.expect


def test_window_invert_and_zoom_change_the_picture_only(room, page):
    room.choose()
    page.keyboard.press("i")
    readout = page.locator("#query-viewer .corner.br")
    expect(readout).to_contain_text("inverted")
    before = readout.inner_text()
    page.keyboard.press("w")
    room.drag((30, 30), (10, 40))
    page.keyboard.press("+")
    expect(readout).to_contain_text("120 %")
    assert readout.inner_text().splitlines()[0] != before.splitlines()[0]
    page.keyboard.press("0")
    expect(readout).not_to_contain_text("inverted")
    expect(readout).to_contain_text("100 %")
    assert room.chosen() == []


def test_turns_and_flips_move_the_side_marks(room, page):
    room.choose()

    def places():
        frames = [page.locator("#query-viewer .side-mark").nth(n).bounding_box() for n in (0, 1)]
        (right, left) = [(f["x"] + f["width"] / 2, f["y"] + f["height"] / 2) for f in frames]
        across, down = left[0] - right[0], left[1] - right[1]
        return "across" if abs(across) > abs(down) else "down", across + down > 0

    def settled(key):
        page.keyboard.press(key)
        room.settle()
        return places()

    assert places() == ("across", True)  # the patient's right on the left
    assert settled("f") == ("across", False)
    assert settled("r") == ("down", False)
    assert settled("f") == ("down", False)
    assert settled("r") == ("across", True)
    page.click("#reset-view")
    room.settle()
    assert places() == ("across", True)


def test_a_lateral_view_bears_no_side_marks(room, page):
    def as_lateral(route):
        read = route.fetch()
        route.fulfill(response=read, json={**read.json(), "view": "LATERAL"})

    marks = page.locator("#query-viewer .side-mark:visible")
    room.choose()
    expect(marks).to_have_count(2)
    page.route("**/api/studies/*", as_lateral)
    room.choose(1)
    expect(marks).to_have_count(0)


def test_two_images_are_moved_together_until_they_are_unlinked(room, page):
    room.choose()
    room.search()
    room.compare()
    readouts = [page.locator(f"#{name}-viewer .corner.br") for name in ("query", "hit")]
    page.keyboard.press("+")
    for readout in readouts:
        expect(readout).to_contain_text("120 %")
    page.keyboard.press("r")
    for readout in readouts:
        expect(readout).to_contain_text("90°")
    page.click("#toggle-link")
    page.keyboard.press("+")
    expect(readouts[0]).to_contain_text("120 %")  # a turn fits the image anew
    expect(readouts[1]).to_contain_text("100 %")


def test_the_pointer_is_shown_at_the_same_place_of_the_other_image(room, page):
    room.choose()
    room.search()
    room.compare()
    page.mouse.move(*room.point(20, 40))
    cursor = page.locator("#hit-viewer svg .cursor")
    expect(cursor).to_have_count(1)
    frame = cursor.bounding_box()
    expected = room.point(20, 40, "#hit-viewer")  # both have their regions in the same places
    assert (frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2) == pytest.approx(
        expected, abs=2
    )


def test_the_same_place_is_found_by_the_regions_of_both_images(page):
    """Against NumPy's least squares, on chests of different size and place."""
    noise = np.random.default_rng(3)
    corners = noise.uniform(0, 300, (29, 2))
    sizes = noise.uniform(20, 80, (29, 2))
    here = np.concatenate([corners, corners + sizes], axis=1)
    jitter = noise.normal(0, 4, (29, 4))
    there = here * np.tile([1.3, 0.8], 2) + np.tile([15.0, -9.0], 2) + jitter

    def image(boxes):
        found = [{"region": str(n), "box": list(box), "score": 0.9} for n, box in enumerate(boxes)]
        found[3]["score"] = 0.1  # not sure enough to count
        return {"width": 512, "height": 400, "boxes": found}

    mapped = page.evaluate(
        """([from, to]) => import("./static/align.js").then(({ alignment }) => {
          const map = alignment(from, to);
          return [map([100, 200]), map(map([100, 200]), true)];
        })""",
        [image(here), image(there)],
    )
    sure = np.arange(29) != 3
    for axis in (0, 1):
        centres = [(boxes[sure, axis] + boxes[sure, axis + 2]) / 2 for boxes in (here, there)]
        slope, shift = np.polyfit(*centres, 1)
        assert mapped[0][axis] == pytest.approx(slope * (100, 200)[axis] + shift)
    assert mapped[1] == pytest.approx([100, 200])


@pytest.mark.parametrize(
    ("level", "width", "invert"), [(0.5, 0.4, False), (0.3, 0.1, True), (0.9, 1.5, False)]
)
def test_page_and_server_agree_on_every_grey_level(room, page, level, width, invert):
    """16-bit values through the page's table, against the picture that the server makes of them."""
    study = room.first_study()
    base = f"{room.address}api/studies/{study}"
    meaning = page.request.get(f"{base}/pixels.json").json()
    values = np.frombuffer(page.request.get(f"{base}/pixels").body(), "<u2")
    span = meaning["maximum"] - meaning["minimum"]
    window = {"level": meaning["minimum"] + level * span, "width": width * span, "invert": invert}
    made = page.evaluate(
        """([study, window]) => import("./static/pixels.js").then(async ({ GreyImage }) => {
          const image = await GreyImage.fromServer({ kind: "study", id: study });
          image.apply(window);
          return [...image.shown.data];
        })""",
        [study, window],
    )
    shown = np.asarray(made, np.uint8).reshape(meaning["rows"], meaning["columns"], 4)
    grey = np.clip((values.astype(float) - window["level"]) / window["width"] + 0.5, 0, 1)
    expected = np.floor(grey * 255 + 0.5).reshape(shown.shape[:2])
    assert np.array_equal(shown[..., 0], 255 - expected if invert else expected)
    assert np.array_equal(shown[..., 0], shown[..., 2])
    query = f"level={window['level']}&window={window['width']}&invert={str(invert).lower()}"
    with Image.open(io.BytesIO(page.request.get(f"{base}/image.png?{query}").body())) as picture:
        assert np.array_equal(shown[..., 0], np.asarray(picture.convert("L")))


def test_presets_follow_the_images_own_grey_levels(room, page):
    """Against NumPy's quantiles, to the width of a bin."""
    room.choose()
    study = room.first_study()
    meaning = page.request.get(f"{room.address}api/studies/{study}/pixels.json").json()
    values = np.frombuffer(page.request.get(f"{room.address}api/studies/{study}/pixels").body(), "<u2")
    span = meaning["maximum"] - meaning["minimum"]

    def shown():
        room.settle()
        words = page.inner_text("#query-viewer .corner.br").split()
        return float(words[1]), float(words[3])

    first = meaning["windows"][0]
    assert shown() == pytest.approx((first["width"], first["center"]), abs=0.5)
    page.keyboard.press("3")
    assert page.input_value("#preset") == "lungs"
    low, high = np.quantile(values, [0.02, 0.6])
    assert shown() == pytest.approx((high - low, (low + high) / 2), abs=span / 500 + 0.5)
    page.select_option("#preset", "full")
    assert shown() == pytest.approx((span, meaning["minimum"] + span / 2), abs=1)
    room.drag((8, 8), (24, 40))
    page.select_option("#preset", "region")
    low, high = np.quantile(values.reshape(64, 64)[8:40, 8:24], [0.02, 0.98])
    assert shown() == pytest.approx((high - low, (low + high) / 2), abs=span / 500 + 0.5)
    page.select_option("#preset", "default")
    assert shown() == pytest.approx((first["width"], first["center"]), abs=0.5)
