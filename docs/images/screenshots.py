"""Take the pictures of the page that the documents show, on a demonstration of phantoms (synthetic).

    python docs/images/screenshots.py [--dir DIR] [--studies 400] [--out docs/images] [--only NAME]

A folder given with --dir is kept and used again: rendering the archive is what takes long. Needs Chromium.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from edge_retrieve.edge_app.bench.browser import launch_chromium
from edge_retrieve.edge_app.bench.serving import serving
from edge_retrieve.edge_app.demo import DemoFolder, Example, choose_example, prepare
from edge_retrieve.edge_app.workspace import Workspace

LAPTOP = {"width": 1366, "height": 768}


class Visit:
    """One opening of the page, and the steps that pictures have in common."""

    def __init__(self, page: Any, example: Example) -> None:
        self.page, self.example = page, example

    def upload(self) -> None:
        """Open the example's image."""
        self.page.set_input_files("#file", str(self.example.image))
        self.page.wait_for_selector("#query-viewer .corner.br:not([hidden])")
        self.page.wait_for_selector("#status:has-text('Mark')")

    def pick(self, region: str) -> None:
        """Choose a region."""
        self.page.click("#show-list")
        self.page.click(f"#region-list button[aria-label='{region}']")
        self.page.click("#show-map")

    def search(self) -> None:
        """Ask, and wait for every small picture of a case."""
        self.page.click("#search")
        self.page.wait_for_selector("#hits:not([aria-busy]) .hit")
        seen = "[...document.querySelectorAll('#hits .hit img')].slice(0, 4)"
        self.page.evaluate(f"Promise.all({seen}.map((image) => image.decode()))")

    def ask(self) -> None:
        """Ask the example's question."""
        self.upload()
        self.pick(self.example.region.value)
        self.search()

    def compare(self, nth: int = 0) -> None:
        """Open a case beside the query."""
        self.page.click(f"#hits .hit .open >> nth={nth}")
        self.page.wait_for_selector("#hit-viewer svg rect.match")


def query(visit: Visit) -> None:
    """Show a region chosen, and the cases found."""
    visit.ask()


def reading_page(visit: Visit) -> None:
    """Show a case side by side with the query."""
    visit.ask()
    visit.compare()


def phrase(visit: Visit) -> None:
    """Show where the words are, on both images."""
    visit.upload()
    visit.page.fill("#text", f"{visit.example.finding.value} in the {visit.example.region.value}")
    visit.pick(visit.example.region.value)
    visit.search()
    visit.compare()
    visit.page.click("#toggle-heat")
    visit.page.wait_for_selector("#hit-viewer .corner.bl:has-text('best place')")


def filters(visit: Visit) -> None:
    """Show the filters."""
    visit.ask()
    visit.page.click("#filters-button")
    visit.page.check("input[name=views][value=PA]")
    visit.page.fill("#filter-age_from", "40")


def commit_first(visit: Visit) -> None:
    """Show an impression asked for before the cases are."""
    visit.page.click("#read-first")
    visit.upload()
    visit.pick(visit.example.region.value)
    visit.page.click("#search")
    visit.page.fill("#impression", f"{visit.example.finding.value} in the {visit.example.region.value}")
    visit.page.fill("#read-sure", "70")


def same_patient(visit: Visit) -> None:
    """Show an earlier study of the same patient beside the query."""
    page = visit.page
    listed = page.request.get(f"{page.url.split('#')[0]}api/studies?limit=50").json()["studies"]
    patients = [one["patient"] for one in listed]
    page.click(f".study >> nth={next(n for n, each in enumerate(patients) if patients.count(each) > 2)}")
    page.wait_for_selector("#query-viewer .corner.br:not([hidden])")
    page.wait_for_selector("#priors .hit", state="attached")
    page.click("#tab-priors")
    page.click("#priors .hit .open >> nth=0")
    page.wait_for_selector("#hit-viewer .corner.br:not([hidden])")


def drawn_box(visit: Visit) -> None:
    """Show a box in hand, on an image with a window of its own."""
    visit.upload()
    visit.page.select_option("#preset", "lungs")
    frame = visit.page.locator("#query-viewer").bounding_box()
    x, y = frame["x"] + frame["width"] * 0.36, frame["y"] + frame["height"] * 0.5
    visit.page.mouse.move(x, y)
    visit.page.mouse.down()
    visit.page.mouse.move(x + 100, y + 120, steps=4)
    visit.page.mouse.up()
    visit.search()


def evidence(visit: Visit) -> None:
    """Show what speaks for and against, what a mirrored image changes, and a case beside the query."""
    visit.ask()
    visit.page.click("#tab-evidence")
    visit.page.click("#evidence [data-alteration=mirrored]")
    visit.page.wait_for_selector("#evidence .what-if-told:has-text('nearest cases stay')")
    visit.page.click("#evidence .case-chip >> nth=0")
    visit.page.wait_for_selector("#hit-viewer svg rect.match")


def draft(visit: Visit) -> None:
    """Show a draft, and where one of its sentences is on both images."""
    visit.ask()
    visit.page.click("#tab-draft")
    visit.page.click("#draft .cite[data-study] >> nth=0")
    visit.page.wait_for_selector("#hit-viewer svg rect.match")
    visit.page.click("#draft .words >> nth=0")
    visit.page.wait_for_selector("#hit-viewer .corner.bl:has-text('best place')")
    visit.page.keyboard.press("Escape")


PICTURES: dict[str, Callable[[Visit], None]] = {
    "query": query,
    "reading-page": reading_page,
    "phrase": phrase,
    "filters": filters,
    "commit-first": commit_first,
    "same-patient": same_patient,
    "drawn-box": drawn_box,
    "evidence": evidence,
    "draft": draft,
}


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, help="keep the demonstration here")
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", choices=PICTURES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = DemoFolder((options.dir or Path(temporary)).resolve(), options.studies)
        prepare(folder, _quiet)
        with Workspace(folder.store) as workspace, serving(workspace) as address, sync_playwright() as driver:
            browser = launch_chromium(driver)
            example = choose_example(workspace.store, folder.new_cases)
            for name in [options.only] if options.only else PICTURES:
                context = browser.new_context(viewport=LAPTOP)
                page = context.new_page()
                page.goto(address)
                page.wait_for_selector("body[data-ready]")
                PICTURES[name](Visit(page, example))
                page.mouse.move(2, 2)
                page.wait_for_timeout(400)  # colours fade in
                page.screenshot(path=options.out / f"{name}.png")
                context.close()
                print(options.out / f"{name}.png")


@contextmanager
def _quiet(description: str) -> Iterator[Callable[..., None]]:
    print(f"{description} ...")
    yield lambda *_: None


if __name__ == "__main__":
    main()
