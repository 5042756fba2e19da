"""The page in a real browser, from a real server, with no way out of this machine."""

import contextlib
import re
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest
import uvicorn

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import ScoreCalibration, ScoreCurve, Sides, Trust, calibrate_bundle

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
expect = playwright.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)")

ZONE = "right upper lung zone"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

HERE = Path(__file__).parent


@contextlib.contextmanager
def serving(workspace, **settings):
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(workspace, ServerSettings(**settings)), log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{settings.get('root_path', '')}/"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def address(workspace):
    with serving(workspace) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Return a function that opens the page; at the end there must have been no error, no foreign request."""
    troubles, pages = [], []

    def watch(address):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: troubles.append(f"page error: {error}"))
        # A reload aborts what is under way: that is no failure.
        page.on(
            "requestfailed",
            lambda request: (
                None
                if "ERR_ABORTED" in (request.failure or "")
                else troubles.append(f"failed: {request.url}")
            ),
        )
        page.on(
            "console",
            lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((address, "blob:", "data:"))
                else troubles.append(f"foreign: {request.url}")
            ),
        )
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        pages.append(context)
        return page

    yield watch
    for context in pages:
        context.close()
    assert not troubles, troubles


@pytest.fixture
def page(open_page, address):
    return open_page(address)


def choose(page, nth=0):
    page.click(f".study >> nth={nth}")
    page.wait_for_selector("#query-viewer .corner.br:not([hidden])")


def point(page, x, y):
    """Page coordinates of a point of the query image (64 x 64 pixels, fitted into the viewer)."""
    frame = page.locator("#query-viewer").bounding_box()
    scale = min(frame["width"], frame["height"]) / 64 * 0.98
    left = frame["x"] + (frame["width"] - 64 * scale) / 2
    top = frame["y"] + (frame["height"] - 64 * scale) / 2
    return left + x * scale, top + y * scale


def first_study(page):
    return page.locator(".study").first.get_attribute("data-study")


def search(page):
    page.click("#search")
    page.wait_for_selector("#hits:not([aria-busy]) .hit")


def test_the_page_shows_the_archive_and_says_what_it_is_not(page):
    assert page.locator(".study").count() == 6
    assert page.locator("#picker button").count() == 29
    footer = page.inner_text("footer")
    assert "Not a medical device" in footer
    assert "toy 1" in footer
    assert "6 studies" in footer
    assert page.locator(".badge").count() == 0
    assert page.is_disabled("#search")


def test_a_click_on_the_image_selects_a_region_and_the_search_finds_its_cases(page, address):
    choose(page)
    page.mouse.move(*point(page, 12, 4))
    assert "hover" in page.get_attribute(f"#picker button[aria-label='{ZONE}']", "class")
    page.mouse.click(*point(page, 12, 4))
    assert page.get_attribute(f"#picker button[aria-label='{ZONE}']", "aria-pressed") == "true"
    search(page)
    assert page.locator(".hit").count() == 5
    first = page.locator(".hit").first
    assert first.locator(".where").first.inner_text() == "Right upper lung zone"
    assert first.locator(".thumb svg rect").count() == 1
    expected = page.request.post(
        f"{address}api/query", data={"study": first_study(page), "regions": [ZONE]}
    ).json()["hits"]
    shown = page.locator(".hit .score span").all_inner_texts()
    assert shown == [f"{hit['score']:.3f}" for hit in expected]
    assert ZONE in page.inner_text("#status")
    page.click(f"#picker button[aria-label='{ZONE}']")
    assert "changed" in page.inner_text("#status")


def test_a_drag_draws_a_box_that_the_keyboard_moves_and_deletes(page):
    choose(page)
    page.mouse.move(*point(page, 9, 1))
    page.mouse.down()
    page.mouse.move(*point(page, 15, 7), steps=4)
    page.mouse.up()
    assert page.locator("#chosen button").all_inner_texts() == ["box 1"]
    search(page)
    assert ZONE in page.inner_text("#status")
    drawn = page.evaluate("location.hash")
    page.focus("#query-viewer")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("location.hash") != drawn
    page.keyboard.press("Delete")
    assert page.locator("#chosen button").count() == 0
    page.keyboard.press("b")
    page.keyboard.press("Shift+ArrowDown")
    assert page.locator("#chosen button").all_inner_texts() == ["box 1"]


def test_further_cases_come_below_and_the_other_side_is_named(page):
    page.select_option("#k", "5")
    page.fill("#text", "nodule")
    page.click("#picker button[aria-label='left upper lung zone']")
    search(page)
    assert page.locator(".hit").count() == 5
    assert f"other side: nodule in {ZONE}" in page.locator(".hit .misfit").all_inner_texts()
    page.click("#more")
    expect(page.locator(".hit")).to_have_count(6)
    assert page.locator(".hit .rank").all_inner_texts() == list("123456")
    assert page.is_hidden("#more")


def test_side_by_side_by_mouse_and_keyboard(page):
    choose(page)
    page.click(f"#picker button[aria-label='{ZONE}']")
    search(page)
    page.click(".hit >> nth=1")
    page.wait_for_selector("#hit-viewer .corner.br:not([hidden])")
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


def test_an_uploaded_image_is_asked_about(page, query_image):
    page.set_input_files("#file", str(query_image))
    page.wait_for_selector("#query-viewer .corner.br:not([hidden])")
    assert page.inner_text("#query-title").startswith("query.png")
    page.mouse.click(*point(page, 12, 4))
    search(page)
    assert page.locator(".hit").count() == 6


def test_words_alone_are_asked_with_enter(page):
    page.keyboard.press("t")
    page.keyboard.type("nodule in the right upper lung zone")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit")
    assert "nodule" in page.inner_text(".hit >> nth=0")


def test_window_invert_and_zoom_change_the_picture_only(page):
    choose(page)
    page.keyboard.press("i")
    readout = page.locator("#query-viewer .corner.br")
    expect(readout).to_contain_text("inverted")
    page.keyboard.press("w")
    page.mouse.move(*point(page, 30, 30))
    page.mouse.down()
    page.mouse.move(*point(page, 10, 40), steps=4)
    page.mouse.up()
    page.keyboard.press("+")
    expect(readout).to_contain_text("120 %")
    expect(readout).not_to_contain_text("W 255")
    page.keyboard.press("0")
    expect(readout).to_have_text("W 255  L 128 100 %")
    assert page.locator("#chosen button").count() == 0


def test_a_reload_keeps_the_question(page):
    choose(page, 1)
    page.mouse.click(*point(page, 12, 4))
    page.fill("#text", "nodule")
    title = page.inner_text("#query-title")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.inner_text("#query-title") == title
    assert page.input_value("#text") == "nodule"
    assert page.locator("#chosen button").all_inner_texts() == [ZONE]


def test_the_archive_is_searched(page):
    page.keyboard.press("/")
    page.keyboard.type("clear")
    expect(page.locator(".study")).to_have_count(2)
    assert page.inner_text("#study-count") == "2 studies"


def test_nothing_jumps_and_everything_is_readable(page):
    choose(page)
    page.click(f"#picker button[aria-label='{ZONE}']")
    search(page)
    page.click(".hit >> nth=0")
    page.wait_for_selector("#hit-viewer svg rect.match")
    assert page.evaluate((HERE / "contrast.js").read_text()) == []
    shift = page.evaluate((HERE / "layout_shift.js").read_text())
    assert shift["total"] < 0.01, shift["sources"]


def test_every_control_has_a_name(page):
    nameless = """() => [...document.querySelectorAll("button, input, select, [role=application]")]
      .filter((node) => !(node.innerText || node.ariaLabel || node.labels?.length)).map((node) => node.id)"""
    assert page.evaluate(nameless) == []


def test_it_works_below_a_path(open_page, workspace):
    with serving(workspace, root_path="/xray") as address:
        page = open_page(address)
        choose(page)
        search(page)
        assert (
            page.locator(".hit img").first.evaluate("image => image.decode().then(() => image.naturalWidth)")
            > 0
        )


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


@pytest.fixture(scope="module")
def sure(toy, store_path, tmp_path_factory):
    """Serve the same store with a bundle whose curves make a cosine of 1 a probability of 90 %."""
    folder = shutil.copytree(toy.bundle.path, tmp_path_factory.mktemp("sure") / "model")
    kinds = [(asked, searched, named) for asked in Sides for searched in Sides for named in (True, False)]
    curves = tuple(ScoreCurve(*kind, 6, (-1.0, 1.0), (0.0, 0.9)) for kind in kinds)
    calibrate_bundle(folder, ScoreCalibration("isotonic", "made up", 0.1, 10, curves))
    with (
        Workspace(store_path, folder, trust=Trust(allow_unsigned=True), abstain_below=0.85) as workspace,
        serving(workspace) as address,
    ):
        yield address


def test_hits_show_how_sure_they_are_and_that_it_is_not_enough(open_page, sure):
    page = open_page(sure)
    choose(page)
    page.click(f"#picker button[aria-label='{ZONE}']")
    search(page)
    question = {"study": first_study(page), "regions": [ZONE]}
    answer = page.request.post(f"{sure}api/query", data=question).json()
    assert answer["abstained"] is True
    shown = page.locator(".hit .score b").all_inner_texts()
    assert shown == [f"{hit['probability'] * 100:.0f}%" for hit in answer["hits"]]
    assert "No sufficiently similar case" in page.inner_text("#status")
    assert "none reaches 85%" in page.inner_text("#status")


def test_without_calibration_no_certainty_is_shown(page):
    choose(page)
    search(page)
    assert page.locator(".hit .score b").count() == 0
    assert "Not calibrated" in page.locator(".hit .score").first.get_attribute("title")
