"""Grey levels, zoom, turns; two images moved together."""

import numpy as np
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
expect = playwright.expect
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


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
        page.evaluate(TWO_FRAMES)
        return places()

    assert places() == ("across", True)  # the patient's right on the left
    assert settled("f") == ("across", False)
    assert settled("r") == ("down", False)
    assert settled("f") == ("down", False)
    assert settled("r") == ("across", True)
    page.click("#reset-view")
    page.evaluate(TWO_FRAMES)
    assert places() == ("across", True)


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
