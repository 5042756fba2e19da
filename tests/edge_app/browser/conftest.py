"""The page in a real browser, from a real server, with no way out of this machine."""

import shutil
from pathlib import Path

import pytest

from edge_retrieve.edge_app.bench.serving import serving
from edge_retrieve.edge_app.labels import ArchiveLabel, write_label
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import ScoreCalibration, ScoreCurve, Sides, Trust, calibrate_bundle
from edge_retrieve.runtime.ingest import ingest

HERE = Path(__file__).parent
SIDE = 64  # pixels of the toy archive's pictures
DEMO_SIDE, DEMO_STUDIES = 256, 24


@pytest.fixture(scope="session")
def address(workspace):
    with serving(workspace) as address:
        yield address


class Room:
    """The page, and what a reader does on it."""

    def __init__(self, page, address, side):
        self.page, self.address, self.side = page, address, side

    def choose(self, nth=0):
        self.page.click(f".study >> nth={nth}")
        self.page.wait_for_selector("#query-viewer .corner.br:not([hidden])")

    def point(self, x, y, viewer="#query-viewer"):
        """Page coordinates of a point of a square image, fitted into its viewer."""
        frame = self.page.locator(viewer).bounding_box()
        scale = min(frame["width"], frame["height"]) / self.side * 0.98
        left = frame["x"] + (frame["width"] - self.side * scale) / 2
        top = frame["y"] + (frame["height"] - self.side * scale) / 2
        return left + x * scale, top + y * scale

    def drag(self, start, end, viewer="#query-viewer"):
        self.page.mouse.move(*self.point(*start, viewer))
        self.page.mouse.down()
        self.page.mouse.move(*self.point(*end, viewer), steps=4)
        self.page.mouse.up()

    def click_at(self, x, y):
        self.page.mouse.click(*self.point(x, y))

    def region(self, name):
        return self.page.locator(f".shape[data-region='{name}']")

    def click_region(self, name, across, down):
        """Click on the map, at parts of the width and height of a region's frame."""
        frame = self.region(name).bounding_box()
        self.page.mouse.click(frame["x"] + frame["width"] * across, frame["y"] + frame["height"] * down)

    def pick(self, name):
        """Choose a region in the list, which every region can be reached in."""
        self.page.click("#show-list")
        self.page.click(f"#region-list button[aria-label='{name}']")
        self.page.click("#show-map")

    def search(self):
        self.page.click("#search")
        self.page.wait_for_selector("#hits:not([aria-busy]) .hit")

    def compare(self, nth=0):
        self.page.click(f"#hits .hit .open >> nth={nth}")
        self.page.wait_for_selector("#hit-viewer .corner.br:not([hidden])")

    def answered(self, telling, region=True):
        """Ask about a study that has evidence, where it has it or everywhere."""
        number, where, _ = telling
        self.choose(number)
        if region:
            self.pick(where)
        self.search()

    def open_tab(self, name, first):
        """Open a tab and wait for the first thing of what it shows."""
        self.page.click(f"#tab-{name}")
        self.page.wait_for_selector(f"#{name} {first}")

    def explained(self):
        """What the server says of why, and drafts, about the question on the page."""
        body = {"study": self.page.evaluate("new URLSearchParams(location.hash.slice(1)).get('study')")}
        body["regions"] = self.page.evaluate("new URLSearchParams(location.hash.slice(1)).getAll('region')")
        return self.page.request.post(f"{self.address}api/explain", data=body).json()

    def first_study(self):
        return self.page.locator(".study").first.get_attribute("data-study")

    def chosen(self):
        return self.page.locator("#chosen button").all_inner_texts()

    def boxes(self):
        """The drawn boxes as the address keeps them."""
        texts = self.page.evaluate("new URLSearchParams(location.hash.slice(1)).getAll('box')")
        return [[float(edge) for edge in text.split(",")] for text in texts]

    def settle(self):
        """Wait until what was asked for is painted."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def colour(self, x, y, viewer="#query-viewer"):
        """Red, green and blue painted at a point of the image, 0 to 255."""
        self.settle()
        across, down = self.point(x, y, viewer)
        frame = self.page.locator(viewer).bounding_box()
        pixel = """([selector, x, y]) => {
          const copy = new OffscreenCanvas(1, 1).getContext("2d");
          copy.drawImage(document.querySelector(selector + " canvas"), -x, -y);
          return [...copy.getImageData(0, 0, 1, 1).data];
        }"""
        at = [viewer, round(across - frame["x"]), round(down - frame["y"])]
        return self.page.evaluate(pixel, at)[:3]


def _watched(page, address, troubles):
    """Note on `troubles` every error, warning, failed request, and request that leaves this server."""
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: troubles.append(f"page error: {error}"))

    def failed(request):
        # A reload aborts what is under way: that is no failure.
        if "ERR_ABORTED" not in (request.failure or ""):
            troubles.append(f"failed: {request.url}")

    def said(message):
        if message.type in ("error", "warning"):
            troubles.append(message.text)

    def asked(request):
        if not request.url.startswith((address, "blob:", "data:")):
            troubles.append(f"foreign: {request.url}")

    page.on("requestfailed", failed)
    page.on("console", said)
    page.on("request", asked)


@pytest.fixture
def open_room(browser):
    """Return a function that opens the page; at the end nothing may have gone wrong or moved by itself."""
    troubles, pages = [], []

    def enter(address, viewport=(1440, 900), side=SIDE):
        context = browser.new_context(viewport={"width": viewport[0], "height": viewport[1]})
        page = context.new_page()
        _watched(page, address, troubles)
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        pages.append(page)
        return Room(page, address, side)

    yield enter
    for page in pages:
        shift = page.evaluate((HERE / "layout_shift.js").read_text())
        if shift["total"]:
            troubles.append(f"the layout moved by {shift['total']}: {shift['sources']}")
        page.context.close()
    assert not troubles, troubles


@pytest.fixture
def room(open_room, address):
    return open_room(address)


@pytest.fixture
def page(room):
    return room.page


@pytest.fixture(scope="session")
def sure_address(toy, store_path, tmp_path_factory):
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


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory):
    """A store for a small demonstration: phantoms (synthetic), some of one patient; the shipped bundle."""
    from edge_retrieve.train.phantom.archive import write_archive

    folder = tmp_path_factory.mktemp("demo")
    write_archive(folder / "archive", DEMO_STUDIES, seed=7, size=DEMO_SIDE, workers=1)
    with Workspace(folder / "store", create=True) as workspace:
        assert not ingest(workspace.store, workspace.encoder, [folder / "archive"]).rejected
        write_label(folder / "store", ArchiveLabel("demo", synthetic=True))
    return folder / "store"


@pytest.fixture(scope="session")
def demo_address(demo_store):
    """Serve it."""
    with Workspace(demo_store) as workspace, serving(workspace) as address:
        yield address


@pytest.fixture
def demo(open_room, demo_address):
    return open_room(demo_address, side=DEMO_SIDE)


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


@pytest.fixture(scope="session")
def contrast():
    """A script that finds the texts too faint to read."""
    return (HERE / "contrast.js").read_text()
