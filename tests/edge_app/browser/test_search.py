"""Asking, and the cases that come: ranked, explained, paged, compared."""

import re
import shutil

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
expect = playwright.expect
ZONE = "right upper lung zone"


def test_a_click_on_the_image_selects_a_region_and_the_search_finds_its_cases(room, page, address):
    room.choose()
    page.mouse.move(*room.point(12, 4))
    assert "hover" in room.region(ZONE).get_attribute("class")
    assert page.inner_text("#region-name") == f"{ZONE} · found with 90%"
    room.click_at(12, 4)
    assert room.region(ZONE).get_attribute("aria-checked") == "true"
    room.search()
    assert page.locator("#hits .hit").count() == 5
    first = page.locator("#hits .hit").first
    assert first.locator(".where").first.inner_text() == "Right upper lung zone"
    assert first.locator(".thumb svg rect").count() == 1
    expected = page.request.post(
        f"{address}api/query", data={"study": room.first_study(), "regions": [ZONE]}
    ).json()["hits"]
    shown = page.locator(".hit .score span").all_inner_texts()
    assert shown == [f"{hit['score']:.3f}" for hit in expected]
    assert ZONE in page.inner_text("#status")
    room.pick(ZONE)
    assert "changed" in page.inner_text("#status")


def test_further_cases_come_below_and_the_other_side_is_named(room, page):
    page.select_option("#k", "5")
    page.fill("#text", "nodule")
    room.pick("left upper lung zone")
    room.search()
    assert page.locator("#hits .hit").count() == 5
    assert f"other side: nodule in {ZONE}" in page.locator(".hit .misfit").all_inner_texts()
    page.click("#more")
    expect(page.locator("#hits .hit")).to_have_count(6)
    assert page.locator(".hit .rank").all_inner_texts() == list("123456")
    assert page.is_hidden("#more")


def test_side_by_side_by_mouse_and_keyboard(room, page):
    room.choose()
    room.pick(ZONE)
    room.search()
    room.compare(1)
    page.wait_for_selector("#hit-viewer svg rect.match")
    assert page.is_visible("#query-viewer")
    assert page.inner_text("#hit-title").startswith("2 · ")
    assert "nodule" in page.inner_text("#hit-report mark >> nth=0")
    page.focus("#hit-viewer")
    page.keyboard.press("j")
    expect(page.locator("#hit-title")).to_have_text(re.compile("^3 · "))
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(page.locator("#hit-title")).to_have_text(re.compile("^1 · "))
    page.keyboard.press("Escape")
    assert page.is_hidden("#hit-viewer")


def test_an_uploaded_image_is_asked_about(room, page, query_image):
    page.set_input_files("#file", str(query_image))
    page.wait_for_selector("#query-viewer .corner.br:not([hidden])")
    assert page.inner_text("#query-title").startswith("query.png")
    room.click_at(12, 4)
    room.search()
    assert page.locator("#hits .hit").count() == 6


def held_back(page, address):
    """Hold back the first request to an address; return a function that lets it go and awaits its answer."""
    held = []

    def hold(route):
        if held:
            route.fallback()
        else:
            held.append(route)

    def let_go():
        with page.expect_response(address):
            held[0].continue_()
        page.wait_for_timeout(100)  # what the page makes of it

    page.route(address, hold)
    return let_go


def test_of_two_opened_files_the_later_one_is_shown_however_long_the_first_takes(page, query_image):
    other = shutil.copy(query_image, query_image.with_name("later.png"))
    let_go = held_back(page, "**/api/encode")
    page.set_input_files("#file", str(query_image))
    page.set_input_files("#file", str(other))
    expect(page.locator("#query-title")).to_contain_text("later.png")
    let_go()
    expect(page.locator("#query-title")).to_contain_text("later.png")


def test_a_study_chosen_while_a_file_is_read_stays(room, page, query_image):
    let_go = held_back(page, "**/api/encode")
    page.set_input_files("#file", str(query_image))
    room.choose(1)
    title = page.inner_text("#query-title")
    let_go()
    expect(page.locator("#query-title")).to_have_text(title)


def test_an_answer_is_kept_when_the_full_size_of_an_opened_file_comes(room, page, query_image):
    let_go = held_back(page, "**/api/uploads/*/pixels")
    page.set_input_files("#file", str(query_image))
    expect(page.locator("#status")).to_contain_text("Mark the suspicious region")
    room.search()
    let_go()
    assert page.locator("#hits .hit").count() == 6


def test_an_answer_to_an_earlier_question_is_not_shown(room, page):
    room.choose()
    held_back(page, "**/api/query")
    page.click("#search")
    room.pick("left lung")
    expect(page.locator("#status")).to_have_text("The query has changed. Search again.")
    expect(page.locator("#hits")).not_to_have_attribute("aria-busy", "true")
    room.search()
    assert page.locator("#hits .hit").count() > 0


def test_words_alone_are_asked_with_enter(page):
    page.keyboard.press("t")
    page.keyboard.type("nodule in the right upper lung zone")
    page.keyboard.press("Enter")
    page.wait_for_selector("#hits .hit")
    assert "nodule" in page.inner_text("#hits .hit >> nth=0")


def test_hits_show_how_sure_they_are_and_that_it_is_not_enough(open_room, sure_address):
    room = open_room(sure_address)
    page = room.page
    room.choose()
    room.pick(ZONE)
    room.search()
    question = {"study": room.first_study(), "regions": [ZONE]}
    answer = page.request.post(f"{sure_address}api/query", data=question).json()
    assert answer["abstained"] is True
    shown = page.locator(".hit .score b").all_inner_texts()
    assert shown == [f"{hit['probability'] * 100:.0f}%" for hit in answer["hits"]]
    assert "No sufficiently similar case" in page.inner_text("#status")
    assert "none reaches 85%" in page.inner_text("#status")
    assert "do not count as matches" in page.inner_text("#hits .none-similar")


def test_without_calibration_no_certainty_is_shown(room, page):
    room.choose()
    room.search()
    assert page.locator(".hit .score b").count() == 0
    assert "Not calibrated" in page.locator(".hit .score").first.get_attribute("title")
    assert page.locator("#hits .none-similar").count() == 0


def test_filters_narrow_what_may_be_found_and_are_kept(room, page, address):
    room.choose()
    room.pick(ZONE)
    room.pick("left upper lung zone")
    page.click("#filters-button")
    page.check("input[name=combine][value=all]")
    page.check("input[name=sexes][value=F]")
    page.fill("#filter-age_from", "20")
    assert page.inner_text("#filters-button .number") == "2"
    sent = []
    page.on("request", lambda request: sent.append(request) if request.url.endswith("api/query") else None)
    page.click("#search")
    expect(page.locator("#status")).to_contain_text("No case found")
    body = sent[0].post_data_json
    assert body["filters"] == {"sexes": ["F"], "age_from": 20}
    assert body["combine"] == "all"
    page.reload()
    page.wait_for_selector("body[data-ready]")
    page.click("#filters-button")
    assert page.is_checked("input[name=sexes][value=F]")
    assert page.is_checked("input[name=combine][value=all]")
    page.click("#filters-clear")
    assert page.inner_text("#filters-button .number") == ""
    room.search()
    assert page.locator("#hits .hit").count() == 5


def test_a_file_that_is_no_image_is_told_on_the_page(browser, address, tmp_path):
    """Apart from the others: the browser itself notes the refused request on its console."""
    path = tmp_path / "notes.dcm"
    path.write_text("not an image")
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    page.set_input_files("#file", str(path))
    page.wait_for_selector("#status.bad")
    assert "notes.dcm" in page.inner_text("#status")
    assert "DICOM, PNG" in page.inner_text("#status")
    page.close()
