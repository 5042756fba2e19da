"""Regions and boxes: on the X-ray, on the drawing of the chest, by mouse and by keyboard."""

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)").expect
ZONE = "right upper lung zone"


def test_the_body_map_has_every_region_and_takes_several(room, page, address):
    expected = [region["name"] for region in page.request.get(f"{address}api/regions").json()["regions"]]
    shapes = page.locator(".shape")
    assert sorted(shapes.nth(n).get_attribute("data-region") for n in range(shapes.count())) == sorted(
        expected
    )
    room.choose()
    room.click_region("left lower lung zone", 0.7, 0.3)
    room.click_region("trachea", 0.5, 0.2)
    assert room.chosen() == ["left lower lung zone", "trachea"]
    room.click_region("trachea", 0.5, 0.2)
    assert room.chosen() == ["left lower lung zone"]


@pytest.mark.parametrize("region", ["right lower lung zone", "right clavicle", "right costophrenic angle"])
def test_the_patients_right_is_on_the_left_of_the_map(room, page, region):
    middle = page.locator(".bodymap").bounding_box()
    shape = room.region(region).bounding_box()
    twin = room.region(region.replace("right", "left")).bounding_box()
    centre = middle["x"] + middle["width"] / 2
    assert shape["x"] + shape["width"] / 2 < centre < twin["x"] + twin["width"] / 2


def test_every_region_of_the_map_can_be_hit(room, page):
    """Each has some point at which it is what a click would reach."""
    reach = """(shape) => {
      const { left, top, width, height } = shape.getBoundingClientRect();
      let hit = 0;
      for (let i = 0.5; i < 24; i += 1) for (let j = 0.5; j < 24; j += 1)
        hit += document.elementFromPoint(left + (width * i) / 24, top + (height * j) / 24) === shape;
      return (hit * width * height) / 576;
    }"""
    shapes = page.locator(".shape")
    areas = {
        shapes.nth(n).get_attribute("data-region"): shapes.nth(n).evaluate(reach)
        for n in range(shapes.count())
    }
    assert min(areas.values()) > 40, areas  # square pixels at 1440 x 900


def test_the_map_is_walked_with_the_arrow_keys(room, page):
    page.locator(".shape[tabindex='0']").focus()
    first = page.evaluate("document.activeElement.dataset.region")
    page.keyboard.press("ArrowLeft")
    second = page.evaluate("document.activeElement.dataset.region")
    assert first != second
    page.keyboard.press("Space")
    assert room.chosen() == [second]
    assert page.inner_text("#region-name") == second


def test_map_and_list_show_the_same(room, page):
    room.pick(ZONE)
    assert room.region(ZONE).get_attribute("aria-checked") == "true"
    page.click("#show-list")
    assert page.locator("#region-list button").count() == 29
    assert page.get_attribute(f"#region-list button[aria-label='{ZONE}']", "aria-pressed") == "true"


def test_a_drag_draws_a_box_that_the_keyboard_moves_and_deletes(room, page):
    room.choose()
    room.drag((9, 1), (15, 7))
    assert room.chosen() == ["box 1"]
    room.search()
    assert ZONE in page.inner_text("#status")
    drawn = page.evaluate("location.hash")
    page.focus("#query-viewer")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("location.hash") != drawn
    page.keyboard.press("Delete")
    assert page.locator("#chosen button").count() == 0
    page.keyboard.press("b")
    page.keyboard.press("Shift+ArrowDown")
    assert room.chosen() == ["box 1"]


def test_a_box_is_moved_resized_and_removed_by_its_handles(room, page):
    room.choose()
    room.drag((20, 20), (40, 44))
    room.drag((30, 30), (36, 27))  # from its middle
    (box,) = room.boxes()
    assert box == pytest.approx([26, 17, 46, 41], abs=0.5)
    room.drag((46, 41), (50, 51))  # by the lower right corner
    (box,) = room.boxes()
    assert box == pytest.approx([26, 17, 50, 51], abs=0.5)
    room.drag((26, 34), (10, 60))  # by the left edge: its height stays
    (box,) = room.boxes()
    assert box == pytest.approx([10, 17, 50, 51], abs=0.5)
    room.drag((30, 30), (90, 30))  # beyond the image: it stops at the edge
    (box,) = room.boxes()
    assert box == pytest.approx([24, 17, 64, 51], abs=0.5)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert room.boxes() == [box]
    room.click_at(60, 20)  # takes it in hand again
    cross = page.locator("#query-viewer circle.cross").bounding_box()
    page.mouse.click(cross["x"] + cross["width"] / 2, cross["y"] + cross["height"] / 2)
    assert room.boxes() == []


def test_a_box_is_drawn_where_the_pointer_is_on_a_turned_and_mirrored_image(room, page):
    room.choose()
    page.keyboard.press("r")
    # A quarter turn clockwise: the image's upper left corner is now at the upper right.
    room.drag((64 - 20, 10), (64 - 40, 30))
    (box,) = room.boxes()
    assert box == pytest.approx([10, 20, 30, 40], abs=0.5)
    page.keyboard.press("Delete")
    page.keyboard.press("f")
    # Mirrored as seen: now it is at the upper left, rows and columns exchanged.
    room.drag((20, 10), (40, 30))
    (box,) = room.boxes()
    assert box == pytest.approx([10, 20, 30, 40], abs=0.5)


def test_marks_are_found_again_on_the_way_back_to_a_study(room, page):
    room.choose(0)
    room.pick("trachea")
    room.drag((20, 40), (40, 60))
    boxes = room.boxes()
    room.choose(1)
    expect(page.locator(".study").nth(1)).to_have_attribute("aria-current", "true")
    assert room.chosen() == []
    room.choose(0)
    expect(page.locator(".study").nth(0)).to_have_attribute("aria-current", "true")
    assert room.chosen() == ["trachea", "box 1"]
    assert room.boxes() == boxes


def test_a_reload_keeps_the_question(room, page):
    room.choose(1)
    room.click_at(12, 4)
    page.fill("#text", "nodule")
    title = page.inner_text("#query-title")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.inner_text("#query-title") == title
    assert page.input_value("#text") == "nodule"
    assert room.chosen() == [ZONE]
