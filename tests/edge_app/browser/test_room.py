"""The page as a whole: what it says, the worklist, and that everybody can read and use it."""

import pytest

from edge_retrieve.edge_app.bench.serving import serving
from edge_retrieve.edge_app.settings import ServerSettings

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
expect = playwright.expect
ZONE = "right upper lung zone"


def test_the_page_shows_the_archive_and_says_what_it_is_not(page):
    assert page.locator(".study").count() == 6
    footer = page.inner_text("footer")
    assert "Not a medical device" in footer
    assert "toy 1" in footer
    assert "6 studies" in footer
    assert page.locator(".badge").count() == 0
    assert page.is_disabled("#search")


def test_the_archive_is_searched(page):
    page.keyboard.press("/")
    page.keyboard.type("clear")
    expect(page.locator(".study")).to_have_count(2)
    assert page.inner_text("#study-count") == "2 studies"


def test_the_worklist_is_used_with_the_keyboard_alone(room, page):
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("document.activeElement.dataset.study")
    assert focused == page.locator(".study").nth(1).get_attribute("data-study")
    page.keyboard.press("Enter")
    page.wait_for_selector("#query-viewer .corner.br:not([hidden])")
    assert page.get_attribute(f".study[data-study='{focused}']", "aria-current") == "true"
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#hits .hit")


def test_tabs_are_walked_with_the_arrow_keys(page):
    page.focus("#tab-cases")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#tab-priors", "aria-selected") == "true"
    assert page.is_visible("#panel-priors")
    assert page.is_hidden("#panel-cases")


@pytest.mark.parametrize("viewport", [(1366, 768), (1920, 1080), (3840, 2160)], ids=str)
def test_everything_is_readable(open_room, address, contrast, viewport):
    room = open_room(address, viewport)
    page = room.page
    room.choose()
    room.pick(ZONE)
    room.search()
    room.compare()
    page.wait_for_selector("#hit-viewer svg rect.match")
    assert page.evaluate(contrast) == []
    page.click("#filters-button")
    assert page.evaluate(contrast) == []
    # Nothing lies outside the window, and letters grow with it.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.hit .meta')).fontSize)")
    assert size >= max(12, viewport[0] / 220)


def test_every_control_has_a_name(room, page):
    room.choose()
    room.search()
    nameless = """() =>
      [...document.querySelectorAll("button, input, select, textarea, [role=application], [role=checkbox]")]
        .filter((node) => !(node.innerText || node.ariaLabel || node.labels?.length))
        .map((node) => node.outerHTML)"""
    assert page.evaluate(nameless) == []


def test_it_works_below_a_path(open_room, workspace):
    with serving(workspace, ServerSettings(root_path="/xray")) as address:
        room = open_room(address)
        room.choose()
        room.search()
        decoded = "image => image.decode().then(() => image.naturalWidth)"
        assert room.page.locator("#hits .hit img").first.evaluate(decoded) > 0
        room.compare()
