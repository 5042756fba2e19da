"""Why these cases: what the nearest ones state, for and against, on phantoms (synthetic)."""

import re

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
expect = playwright.expect


@pytest.fixture
def room(demo):
    return demo


@pytest.fixture
def page(demo):
    return demo.page


def chance(probability):
    """A probability as the page shows it: none is rounded to certainty."""
    return ">99%" if probability > 0.99 else "<1%" if probability < 0.01 else f"{probability * 100:.0f}%"


def test_nothing_is_explained_before_a_search(room, page):
    page.click("#tab-evidence")
    assert "Search first" in page.inner_text("#evidence-status")
    page.click("#tab-draft")
    assert "Search first" in page.inner_text("#draft-status")
    assert page.is_hidden("#accept-form")


def test_evidence_names_the_vote_the_archives_rate_and_the_cases(room, page, telling):
    room.answered(telling)
    room.open_tab("evidence", ".trust")
    (place,) = room.explained()["evidence"]["places"]
    vote = place["votes"][0]
    shown = page.locator("#evidence .vote").first
    assert shown.get_attribute("data-finding") == vote["finding"]
    assert shown.locator(".vote-line span").inner_text() == chance(vote["probability"])
    assert f"Stated by {vote['share'] * 100:.0f}% here" in shown.inner_text()
    chips = shown.locator(".case-row >> nth=0").locator(".case-chip")
    assert [chip.get_attribute("data-study") for chip in chips.all()] == vote["for"][:5]
    against = shown.locator(".case-row >> nth=1").locator(".case-chip")
    assert against.get_attribute("data-study") == vote["nearest_without"]
    assert "synthetic" in page.inner_text("#evidence .trust")
    # A case opens beside the query, with the place on it.
    chips.first.click()
    page.wait_for_selector("#hit-viewer svg rect.match")
    expect(page.locator("#hit-title")).to_have_text(re.compile(f"^#1 {place['region']}"))
    expect(chips.first).to_have_attribute("aria-current", "true")
    assert page.get_attribute("#tab-evidence", "aria-selected") == "true"
    against.click()
    expect(page.locator("#hit-title")).to_contain_text(vote["nearest_without"])


def test_without_a_region_every_place_is_looked_at_and_the_quiet_ones_come_together(room, page, telling):
    room.answered(telling, region=False)
    room.open_tab("evidence", ".trust")
    places = telling[2]["evidence"]["places"]
    told = page.locator("#evidence .place").count()
    quiet = page.locator("#evidence .quiet-places p").all_text_contents()
    assert told + sum(len(names.split(", ")) for names in quiet) == len(places) == 29
    page.hover("#evidence .place h3 >> nth=0")
    name = page.get_attribute("#evidence .place >> nth=0", "data-region")
    expect(page.locator("#query-viewer svg rect.box.hover")).to_have_count(1)
    expect(page.locator("#query-viewer svg text.tag")).to_have_text(re.compile(name))
    page.mouse.move(2, 2)
    expect(page.locator("#query-viewer svg rect.box.hover")).to_have_count(0)


@pytest.mark.parametrize("viewport", [(1366, 768), (1920, 1080)], ids=str)
def test_everything_is_readable(open_room, demo_address, telling, contrast, viewport):
    room = open_room(demo_address, viewport, side=256)
    page = room.page
    room.answered(telling)
    for name, first in (("evidence", ".trust"), ("draft", ".words")):
        room.open_tab(name, first)
        page.wait_for_timeout(300)  # colours fade
        if name == "evidence":
            page.click("#evidence [data-alteration=blanked]")
            expect(page.locator("#evidence .what-if-told")).to_contain_text("nearest cases stay")
        assert page.evaluate(contrast) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        fits = "(row) => row.scrollWidth <= row.clientWidth"
        assert page.eval_on_selector("#tabs", fits)
        assert page.eval_on_selector(f"#{name}", fits)


def test_where_it_abstains_it_says_why(room, page):
    for number in range(6):
        room.choose(number)
        room.pick("svc")
        room.search()
        room.open_tab("evidence", ".trust")
        (place,) = room.explained()["evidence"]["places"]
        if place["silence"]:
            assert f"Nothing is stated: {place['silence']}." in page.inner_text("#evidence .silence")
            return
    pytest.fail("every study has evidence for its svc")


def altered(page, room, region, alteration):
    """What the server says of an alteration."""
    study = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('study')")
    query = {"study": study, "regions": [region]}
    body = {"query": query, "regions": [region], "alterations": [alteration]}
    return page.request.post(f"{room.address}api/alterations", data=body).json()["changes"][0]


def test_what_changes_when_the_region_is_blank_or_mirrored(room, page, telling):
    room.answered(telling)
    room.open_tab("evidence", ".trust")
    told = page.locator("#evidence .what-if-told")
    expect(told).to_be_hidden()
    page.click("#evidence [data-alteration=blanked]")
    expect(told).to_contain_text("nearest cases stay")
    height = told.bounding_box()["height"]
    change = altered(page, room, telling[1], "blanked")
    assert change["lost"], "a region that shows something has other cases once it is blank"
    stay = change["compared"] - len(change["lost"])
    assert f"{stay} of {change['compared']} nearest cases stay." in told.inner_text()
    assert chance(change["probability_before"]) in told.inner_text()
    for row, label, studies in (("out", "Fall out", change["lost"]), ("in", "Come in", change["come"])):
        shown = told.locator(f"[data-row={row}]")
        assert shown.inner_text().startswith(label)
        chips = shown.locator(".case-chip").all()
        assert [chip.get_attribute("data-study") for chip in chips] == studies[:5]
        assert len({chip.bounding_box()["y"] for chip in chips}) == 1  # in one line
    # A case that comes in opens beside the query, like any other.
    told.locator("[data-row=in] .case-chip").first.click()
    page.wait_for_selector("#hit-viewer svg rect.match")
    expect(page.locator("#hit-title")).to_contain_text(change["come"][0])
    page.keyboard.press("Escape")
    page.click("#evidence [data-alteration=mirrored]")
    expect(page.locator("#evidence [data-alteration=blanked]")).to_have_attribute("aria-pressed", "false")
    expect(told).to_contain_text("nearest cases stay")
    assert told.bounding_box()["height"] == height
    page.click("#evidence [data-alteration=mirrored]")
    expect(told).to_be_hidden()


def test_an_alteration_is_stopped_and_no_query_waits_for_it(room, page, telling):
    room.answered(telling)
    room.open_tab("evidence", ".trust")
    held = []
    page.route("**/api/alterations", lambda route: held.append(route))  # the server takes its time
    page.click("#evidence [data-alteration=blanked]")
    told = page.locator("#evidence .what-if-told")
    expect(told).to_contain_text("Press again to stop")
    room.search()
    room.open_tab("evidence", ".trust")
    page.click("#evidence [data-alteration=blanked]")
    page.click("#evidence [data-alteration=blanked]")
    expect(told).to_be_hidden()
    assert len(held) == 2
    expect(page.locator("#evidence [aria-pressed=true]")).to_have_count(0)


def test_in_a_look_at_every_region_each_place_is_altered_by_itself(room, page, telling):
    room.answered(telling, region=False)
    room.open_tab("evidence", ".trust")
    place = page.locator("#evidence .place", has=page.locator(f"h3:text-is('{telling[1]}')"))
    place.locator("[data-alteration=mirrored]").click()
    expect(place.locator(".what-if-told")).to_contain_text("nearest cases stay")
    assert page.locator("#evidence .what-if-told:visible").count() == 1
