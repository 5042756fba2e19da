"""The draft: its citations, what a person accepts, a language model; sentences on the images (synthetic)."""

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


def test_a_draft_is_preliminary_and_its_citations_lead_to_cases_and_boxes(room, page, telling):
    room.answered(telling)
    room.open_tab("draft", ".words")
    draft = room.explained()["draft"]
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
    room.answered(telling)
    room.open_tab("draft", ".words")
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
    assert kept["drafted"] == room.explained()["draft"]["text"].strip()
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
    room.answered(telling)
    room.open_tab("draft", ".words")
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
    room.answered(telling)
    room.open_tab("draft", ".words")
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
        room.answered(telling)
        room.open_tab("draft", ".stream:not(:empty)")
        assert "endless-7b is writing; unchecked" in page.inner_text("#draft .writing")
        assert page.inner_text("#draft .preliminary").startswith("PRELIMINARY")
        page.click("#draft .writing button")
        expect(page.locator("#draft .writing")).to_have_count(0)
        assert "The language model was stopped; the template" in page.inner_text("#draft-status")
        assert page.locator("#draft .words").count() > 0
        assert endless.gone.wait(10)  # the server has closed its connection to the model
