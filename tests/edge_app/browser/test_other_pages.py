"""The pages beside the reading page: log-in, interface, refusals. Readable at every size."""

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")

PAGES = {"login": "#login", "docs": "#operations details", "api/studies/no/such": ".onward a"}
SIZES = [(1366, 768), (1920, 1080), (3840, 2160)]


@pytest.fixture(params=SIZES, ids=str)
def opened(request, browser, address):
    """Return a function that opens a page of a window's size."""
    width, height = request.param
    page = browser.new_page(viewport={"width": width, "height": height})
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda asked: asked.url.startswith(address) or troubles.append(asked.url))

    def go(path, selector):
        page.goto(address + path)
        page.locator(selector).first.wait_for()
        return page

    yield go
    page.close()
    assert not troubles


@pytest.mark.parametrize("path", PAGES)
def test_everything_is_readable_and_the_foot_is_there(opened, contrast, path):
    page = opened(path, PAGES[path])
    for closed in page.locator("details").all()[:3]:
        closed.locator("summary").click()
    page.wait_for_timeout(200)  # colours fade
    assert page.evaluate(contrast) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('footer span')).fontSize)")
    assert size >= max(12, page.viewport_size["width"] / 220)
    foot = page.locator("footer")
    assert "Not a medical device. For research only." in foot.inner_text()
    assert "Model toy 1" in foot.inner_text()
    clipped = "(foot) => foot.scrollWidth > foot.clientWidth || foot.scrollHeight > foot.clientHeight"
    assert not foot.evaluate(clipped)
    if path != "docs":  # which is long
        frame = foot.bounding_box()
        assert frame["y"] + frame["height"] <= page.viewport_size["height"] + 0.5


def test_a_refusal_leads_to_the_reading_page(opened):
    page = opened("api/studies/no/such", ".onward a")
    assert "no study 'no/such'" in page.inner_text(".what")
    page.click(".onward a")
    page.wait_for_selector("body[data-ready]")
