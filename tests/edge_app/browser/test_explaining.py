"""Evidence, draft, what was accepted, and sentences on the images, on phantoms (synthetic)."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge_retrieve.edge_app.bench.serving import serving
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
expect = playwright.expect


@pytest.fixture
def room(demo):
    return demo


@pytest.fixture
def page(demo):
    return demo.page


@pytest.fixture(scope="module")
def telling(demo_address, browser):
    """A study of the demonstration whose evidence states something, with that answer; its best region."""
    page = browser.new_page()
    studies = page.request.get(f"{demo_address}api/studies?limit=50").json()["studies"]
    for number, study in enumerate(studies):
        found = page.request.post(f"{demo_address}api/explain", data={"study": study["study"]}).json()
        places = [place for place in found["evidence"]["places"] if place["silence"] is None]
        if places and found["draft"]["cases"]:
            page.close()
            return number, places[0]["region"], found
    pytest.fail("no study of the demonstration has evidence")


def chance(probability):
    """A probability as the page shows it: none is rounded to certainty."""
    return ">99%" if probability > 0.99 else "<1%" if probability < 0.01 else f"{probability * 100:.0f}%"


def open_tab(page, name, first):
    page.click(f"#tab-{name}")
    page.wait_for_selector(f"#{name} {first}")


def answered(room, telling, region=True):
    number, where, _ = telling
    room.choose(number)
    if region:
        room.pick(where)
    room.search()


def explained(room, page):
    """What the server says of the question on the page."""
    body = {"study": page.evaluate("new URLSearchParams(location.hash.slice(1)).get('study')")}
    body["regions"] = page.evaluate("new URLSearchParams(location.hash.slice(1)).getAll('region')")
    return page.request.post(f"{room.address}api/explain", data=body).json()


def test_nothing_is_explained_before_a_search(room, page):
    page.click("#tab-evidence")
    assert "Search first" in page.inner_text("#evidence-status")
    page.click("#tab-draft")
    assert "Search first" in page.inner_text("#draft-status")
    assert page.is_hidden("#accept-form")


def test_evidence_names_the_vote_the_archives_rate_and_the_cases(room, page, telling):
    answered(room, telling)
    open_tab(page, "evidence", ".trust")
    (place,) = explained(room, page)["evidence"]["places"]
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
    answered(room, telling, region=False)
    open_tab(page, "evidence", ".trust")
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
    answered(room, telling)
    for name, first in (("evidence", ".trust"), ("draft", ".words")):
        open_tab(page, name, first)
        page.wait_for_timeout(300)  # colours fade
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
        open_tab(page, "evidence", ".trust")
        (place,) = explained(room, page)["evidence"]["places"]
        if place["silence"]:
            assert f"Nothing is stated: {place['silence']}." in page.inner_text("#evidence .silence")
            return
    pytest.fail("every study has evidence for its svc")


def test_a_draft_is_preliminary_and_its_citations_lead_to_cases_and_boxes(room, page, telling):
    answered(room, telling)
    open_tab(page, "draft", ".words")
    draft = explained(room, page)["draft"]
    assert page.inner_text("#draft .preliminary").startswith("PRELIMINARY")
    assert page.locator("#draft .words").all_inner_texts() == [one["text"] for one in draft["sentences"]]
    said = page.locator("#draft .said").first
    cited = said.locator(".cite[data-study]")
    cases = [one["study"] for one in draft["sentences"][0]["citations"] if "study" in one]
    assert [mark.get_attribute("data-study") for mark in cited.all()] == cases
    said.locator(".words").hover()
    on = page.locator("#draft .cited-case.on")
    assert [one.get_attribute("data-study") for one in on.all()] == cases
    expect(page.locator("#query-viewer svg rect.box.hover")).to_have_count(1)
    cited.first.click()
    page.wait_for_selector("#hit-viewer svg rect.match")
    expect(page.locator(f"#draft .cited-case.current[data-study='{cases[0]}']")).to_have_count(1)
    if page.locator(f"#hits .hit[data-study='{cases[0]}']").count():
        current = page.locator("#hits .hit[aria-current]")
        assert current.get_attribute("data-study") == cases[0]


def test_a_draft_is_changed_accepted_kept_and_taken_away(room, page, telling, tmp_path):
    answered(room, telling)
    open_tab(page, "draft", ".words")
    assert page.is_disabled("#copy-report")
    assert "without the draft" in page.inner_text("#leave-label")
    page.click("#draft .words >> nth=0")
    page.keyboard.press("End")
    page.keyboard.type(" rim, seen.")  # letters that are keys of the page elsewhere
    expect(page.locator("#query-viewer .corner.br")).not_to_contain_text("°")
    page.keyboard.press("Enter")
    assert page.locator("#draft .said.edited").count() == 1
    page.click("#draft .add >> nth=1")
    page.keyboard.type("Follow-up advised.")
    page.keyboard.press("Enter")
    # Nobody accepts without a name.
    page.click("#accept-form .primary")
    assert page.locator("#draft.accepted").count() == 0
    page.fill("#accept-name", "Reader^Rita")
    page.fill("#accept-organization", "General Hospital")
    page.click("#accept-form .primary")
    page.wait_for_selector("#draft.accepted")
    assert page.inner_text("#draft .preliminary").startswith("ACCEPTED by Reader^Rita")
    assert page.locator("#draft [contenteditable='false']").count() == page.locator("#draft .words").count()
    kept = page.request.get(f"{room.address}api/drafts/accepted").json()["accepted"][0]
    assert kept["edited"] is True
    assert " rim, seen." in kept["report"]
    assert kept["report"].endswith("Follow-up advised.")
    assert kept["drafted"] == explained(room, page)["draft"]["text"].strip()
    sent = []
    page.on("request", lambda request: sent.append(request) if "/api/results" in request.url else None)
    with page.expect_download() as waiting:
        page.click("#leave [data-kind=fhir]")
    path = tmp_path / "fhir.json"
    waiting.value.save_as(path)
    assert waiting.value.suggested_filename == "fhir.json"
    assert sent[0].post_data_json["acceptance"] == kept["acceptance"]
    bundle = json.loads(path.read_text())
    assert bundle["entry"][0]["resource"]["status"] == "final"
    assert "Follow-up advised." in json.dumps(bundle)
    page.click("#accept-change")
    assert page.is_disabled("#copy-report")
    assert page.locator("#draft.accepted").count() == 0


def test_a_clicked_sentence_is_shown_on_both_images(room, page, telling):
    answered(room, telling)
    open_tab(page, "draft", ".words")
    page.click("#draft .cite[data-study] >> nth=0")
    page.wait_for_selector("#hit-viewer svg rect.match")
    with page.expect_response("**/api/ground"):
        page.click("#draft .words >> nth=0")
    text = page.inner_text("#draft .words >> nth=0")
    for viewer in ("query", "hit"):
        expect(page.locator(f"#{viewer}-viewer .corner.bl")).to_contain_text(text)
    study = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('study')")
    found = page.request.post(f"{room.address}api/ground", data={"study": study, "phrase": text}).json()
    boxes = min(3, len(found["boxes"])) if found["ground"] == "seen" else 0
    expect(page.locator("#query-viewer svg .box.ground")).to_have_count(boxes)
    # The same of a sentence in the case's own report, by keyboard; and away again.
    sentence = page.locator("#hit-report .sentence").first
    sentence.focus()
    page.keyboard.press("Enter")
    expect(sentence).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#query-viewer .corner.bl")).to_contain_text(sentence.inner_text())
    page.keyboard.press("Enter")
    expect(sentence).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#query-viewer .corner.bl")).not_to_contain_text(sentence.inner_text())


def test_a_denial_in_a_cases_report_is_nowhere_and_opens_its_case(room, page):
    room.choose()
    room.search()
    for card in page.locator("#hits .hit").all():
        card.locator("summary").click()
        denial = card.locator(".sentence", has_text=re.compile("^No |normal", re.I)).first
        if denial.count():
            break
    else:
        pytest.fail("no report denies anything")
    denial.click()
    expect(page.locator("#hit-viewer .corner.bl")).to_contain_text("nothing to see")
    expect(page.locator("#hit-viewer svg .box.ground")).to_have_count(0)


def test_another_question_makes_the_panels_stale(room, page, telling):
    answered(room, telling)
    open_tab(page, "draft", ".words")
    room.pick("trachea")
    assert "The query has changed" in page.inner_text("#draft-status")
    assert page.locator("#draft.stale").count() == 1
    room.choose(1)
    page.click("#tab-draft")
    assert "Search first" in page.inner_text("#draft-status")


@pytest.fixture
def endless():
    """A language model that writes until nobody listens."""

    class Model(ThreadingHTTPServer):
        daemon_threads = True
        gone = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                while True:
                    event = {"choices": [{"delta": {"content": "endless "}}]}
                    self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                    self.wfile.flush()
                    self.server.gone.wait(0.05)
            except OSError:
                self.server.gone.set()

        def log_message(self, *_):
            pass

    with Model(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.gone.set()
        server.shutdown()
        thread.join()


def test_a_language_model_is_watched_and_stopped(open_room, demo_store, endless, telling):
    url = f"http://127.0.0.1:{endless.server_port}/v1"
    settings = ServerSettings(llm=url, llm_model="endless-7b", llm_timeout_s=60.0)
    with Workspace(demo_store) as workspace, serving(workspace, settings) as address:
        room = open_room(address, side=256)
        page = room.page
        answered(room, telling)
        open_tab(page, "draft", ".stream:not(:empty)")
        assert "endless-7b is writing; unchecked" in page.inner_text("#draft .writing")
        assert page.inner_text("#draft .preliminary").startswith("PRELIMINARY")
        page.click("#draft .writing button")
        expect(page.locator("#draft .writing")).to_have_count(0)
        assert "The language model was stopped; the template" in page.inner_text("#draft-status")
        assert page.locator("#draft .words").count() > 0
        assert endless.gone.wait(10)  # the server has closed its connection to the model
