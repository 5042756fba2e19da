"""From the worklist to a verdict and back without a mouse."""

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
expect = playwright.expect
ZONE = "right upper lung zone"
MOST_STOPS = 60  # presses of Tab from one thing to the next


def focused(page, expression):
    return page.evaluate(f"document.activeElement && (document.activeElement.{expression})")


def tab_to(page, wanted, key="Tab"):
    """Press Tab until what is focused is what is wanted; every stop on the way can be seen."""
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        if page.evaluate(f"document.activeElement.matches({wanted!r})"):
            return
        outline = page.evaluate("""() => {
          const style = getComputedStyle(document.activeElement);
          return [style.outlineStyle, parseFloat(style.outlineWidth), style.stroke];
        }""")
        ring = outline[0] != "none" and outline[1] >= 1
        shown_otherwise = page.evaluate(
            "document.activeElement.matches('body, .shape, .visually-hidden, input[type=file]')"
        )
        assert ring or shown_otherwise, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    pytest.fail(f"Tab does not reach {wanted}")


def test_a_case_is_read_without_a_mouse(room, page):
    # Worklist to study.
    page.keyboard.press("/")
    assert focused(page, "id") == "study-search"
    page.keyboard.press("ArrowDown")
    study = focused(page, "dataset.study")
    page.keyboard.press("Enter")
    page.wait_for_selector("#query-viewer .corner.br:not([hidden])")
    assert page.get_attribute(".study[aria-current]", "data-study") == study
    # Region: the list, since letters and names are surer than shapes.
    tab_to(page, "#show-list")
    page.keyboard.press("Enter")
    tab_to(page, f"#region-list button[aria-label='{ZONE}']")
    page.keyboard.press("Space")
    expect(page.locator("#chosen button")).to_have_text([ZONE])
    # Query, from wherever one is.
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#hits:not([aria-busy]) .hit")
    # Next hit, and the one after; back again.
    hits = [item.get_attribute("data-study") for item in page.locator("#hits .hit").all()]
    current = page.locator("#hits .hit[aria-current]")
    for key, nth in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(current).to_have_attribute("data-study", hits[nth])
    page.wait_for_selector("#hit-viewer svg rect.match")
    # Verdict.
    with page.expect_response("**/api/feedback"):
        page.keyboard.press("u")
    expect(current.locator("[data-verdict=up]")).to_have_attribute("aria-pressed", "true")
    kept = page.request.get(f"{room.address}api/feedback?study={hits[1]}").json()["feedback"]
    assert kept[0]["verdict"] == "up"
    page.keyboard.press("u")  # and taken back
    expect(current.locator("[data-verdict=up]")).to_have_attribute("aria-pressed", "false")
    # Compare: the two move together, from the one that has the focus.
    tab_to(page, "#query-viewer", "Shift+Tab")
    page.keyboard.press("+")
    expect(page.locator("#hit-viewer .corner.br")).to_contain_text("120 %")
    page.keyboard.press("0")
    # Evidence, by the arrow keys of the tabs; a region is altered; back to the cases.
    tab_to(page, "#tab-cases")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector("#evidence .trust")
    tab_to(page, "#evidence [data-alteration=mirrored]")
    page.keyboard.press("Space")
    expect(page.locator("#evidence .what-if-told")).to_contain_text("nearest cases stay")
    # Back: the comparison closes, the worklist is a key away, and the study is where it was.
    page.keyboard.press("Escape")
    expect(page.locator("body")).not_to_have_class("comparing")
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    other = page.locator(".study[aria-current]")
    expect(other).not_to_have_attribute("data-study", study)
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(other).to_have_attribute("data-study", study)
    expect(page.locator("#chosen button")).to_have_text([ZONE])


def test_a_region_is_chosen_on_the_map_and_a_box_placed_by_keys(room, page):
    room.choose()
    page.keyboard.press("/")
    tab_to(page, ".shape")  # one stop; the arrow keys go from one region to the next
    for _ in range(29):
        if focused(page, "dataset.region") == ZONE:
            break
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("#chosen button")).to_have_text([ZONE])
    page.keyboard.press("b")
    (before,) = room.boxes()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    (after,) = room.boxes()
    assert after[0] > before[0]
    assert after[3] - after[1] > before[3] - before[1]
    page.keyboard.press("Delete")
    assert room.boxes() == []


def test_dialogs_take_the_focus_and_give_it_back(page):
    tab_to(page, "#help-button")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('#help').contains(document.activeElement)")
    page.keyboard.press("Escape")
    assert focused(page, "id") == "help-button"
