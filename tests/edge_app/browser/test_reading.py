"""What a reader tells the server: verdicts, an impression before the reveal; and where a phrase is."""

import numpy as np
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
expect = playwright.expect
ZONE = "right lower lung zone"


@pytest.fixture
def room(demo):
    return demo


@pytest.fixture
def page(demo):
    return demo.page


def verdicts(page, nth=0):
    buttons = page.locator(f"#hits .hit >> nth={nth}").locator(".verdict button")
    return {
        buttons.nth(n).get_attribute("data-verdict"): buttons.nth(n).get_attribute("aria-pressed") == "true"
        for n in range(buttons.count())
    }


def test_a_verdict_is_kept_changed_and_taken_back(room, page):
    room.choose()
    room.pick(ZONE)
    room.search()
    hit = page.locator("#hits .hit").first.get_attribute("data-study")
    with page.expect_response("**/api/feedback"):
        page.click("#hits .hit >> nth=0 >> [data-verdict=up]")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    room.search()
    up = page.locator("#hits .hit >> nth=0 >> [data-verdict=up]")
    expect(up).to_have_attribute("aria-pressed", "true")
    room.compare()
    with page.expect_response("**/api/feedback"):
        page.keyboard.press("n")
    assert verdicts(page) == {"up": False, "down": True}
    kept = page.request.get(f"{room.address}api/feedback?study={hit}").json()["feedback"]
    assert [one["verdict"] for one in kept] == ["down"]
    with page.expect_response("**/api/feedback"):
        page.keyboard.press("n")
    assert verdicts(page) == {"up": False, "down": False}


def test_an_impression_is_kept_before_the_cases_are_shown(room, page):
    room.choose()
    room.pick(ZONE)
    page.click("#read-first")
    asked = []
    page.on("request", lambda request: asked.append(request.url.split("/api/", 1)[-1]))
    page.click("#search")
    page.wait_for_selector("#read-form:not([hidden])")
    assert page.locator("#hits .hit").count() == 0
    assert "query" not in asked
    page.fill("#impression", "nodule at the right apex")
    page.fill("#read-sure", "80")
    page.click("#read-form button[type=submit]")
    page.wait_for_selector("#hits .hit")
    assert "nodule at the right apex" in page.inner_text("#read-said")
    page.fill("#final", "nodule, right upper zone")
    page.click("#read-after button[type=submit]")
    expect(page.locator("#read-kept")).to_have_text("Kept")
    (kept,) = page.request.get(f"{room.address}api/reads").json()["reads"]
    assert kept["impression"] == "nodule at the right apex"
    assert kept["sure"] == 0.8
    assert kept["at"] <= kept["revealed"]["at"] <= kept["final"]["at"]
    assert kept["final"]["impression"] == "nodule, right upper zone"
    shown = [item.get_attribute("data-study") for item in page.locator("#hits .hit").all()]
    assert list(kept["revealed"]["studies"]) == shown
    # The choice is remembered; without it, cases come at once again.
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.get_attribute("#read-first", "aria-pressed") == "true"
    page.click("#read-first")
    room.search()


def test_the_words_are_shown_where_the_model_sees_them(room, page):
    phrase = "consolidation in the right lower lung zone"
    room.choose()
    page.fill("#text", phrase)
    room.search()
    room.compare()
    body = {"study": room.first_study(), "phrase": phrase}
    found = page.request.post(f"{room.address}api/ground", data=body).json()
    values = np.asarray(found["values"])
    assert values.shape == (found["rows"], found["columns"])
    page.click("#toggle-heat")
    expect(page.locator("#query-viewer svg .box.ground")).to_have_count(min(3, len(found["boxes"])))
    expect(page.locator("#query-viewer .corner.bl")).to_contain_text(f"best place {found['peak'] * 100:.0f}%")
    expect(page.locator("#hit-viewer .corner.bl")).to_contain_text(phrase)

    def warmth(row, column):
        red, _, blue = room.colour((column + 0.5) / 24 * room.side, (row + 0.5) / 24 * room.side)
        return red - blue

    assert warmth(*np.unravel_index(values.argmax(), values.shape)) > 40
    assert warmth(*np.unravel_index(values.argmin(), values.shape)) == 0
    page.click("#toggle-heat")
    expect(page.locator("svg .box.ground")).to_have_count(0)
    assert warmth(*np.unravel_index(values.argmax(), values.shape)) == 0


def test_other_studies_of_the_patient_stand_apart(room, page):
    listed = page.request.get(f"{room.address}api/studies?limit=500").json()["studies"]
    patients = [one["patient"] for one in listed]
    nth = next(n for n, patient in enumerate(patients) if patients.count(patient) > 1)
    expected = [one["study"] for n, one in enumerate(listed) if one["patient"] == patients[nth] and n != nth]
    room.choose(nth)
    expect(page.locator("#priors-count")).to_have_text(str(len(expected)))
    room.search()
    hits = [item.get_attribute("data-study") for item in page.locator("#hits .hit").all()]
    assert not set(hits) & set(expected)
    page.click("#tab-priors")
    shown = [item.get_attribute("data-study") for item in page.locator("#priors .hit").all()]
    assert shown == expected
    page.click("#priors .hit .open >> nth=0")
    page.wait_for_selector("#hit-viewer .corner.br:not([hidden])")
    assert page.inner_text("#hit-title").startswith("Same patient")
