"""How soon the reading page is painted, and how soon a click on "Find similar cases" is answered on it.

    python benchmarks/page.py [--studies 10000] [--runs 30] [--store DIR] [--tiny] [--json] [--out FILE]

The server and Chromium run on this machine, and share its processors. The store is filled with made-up cases
(synthetic) that scatter around twelve phantoms; one given with --store is used as it is, or made there. Every
visit is a new browser context with an empty cache. A question is a stored study and one region, so that no
image is encoded, and every region has been asked about once; from the click to the first frame painted after
the cases are on the page.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright
from recording import Circumstances, hand_over, take_out

from edge_retrieve.edge_app.bench.browser import find_chromium, launch_chromium
from edge_retrieve.edge_app.bench.phantom_archive import fill_store, render_phantoms
from edge_retrieve.edge_app.bench.serving import serving
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.anatomy import REGIONS

MODELS = 12  # phantoms that the made-up cases scatter around
PIXELS = 512  # side of a phantom
PICTURE_SIDE = 256  # of the stored pictures: 10,000 take 300 MB
VIEWPORT = {"width": 1920, "height": 1080}

CHOOSE = """(nth) => new Promise((done) => {
  const begun = performance.now();
  document.querySelectorAll(".study")[nth].click();
  const look = () => (document.querySelector("#query-viewer .corner.br:not([hidden])")
    && document.querySelectorAll(".study")[nth].getAttribute("aria-current")
    ? done(performance.now() - begun) : requestAnimationFrame(look));
  look();
})"""
ASK = """() => new Promise((done) => {
  const list = document.getElementById("hits");
  const painted = new MessageChannel();
  let begun = 0;
  painted.port1.onmessage = () => done(performance.now() - begun);
  const look = () => (list.querySelector(".hit")
    ? requestAnimationFrame(() => painted.port2.postMessage(0)) : null);
  new MutationObserver(look).observe(list, { childList: true });
  begun = performance.now();
  document.getElementById("search").click();
})"""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


@dataclass(frozen=True)
class Row:
    """Milliseconds from one thing to another, over so many runs."""

    what: str
    p50_ms: float
    p95_ms: float
    runs: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--tiny", action="store_true")
    take_out(parser)
    options = parser.parse_args()
    if options.tiny:
        options.studies, options.runs = 60, 3
    if find_chromium() is None:
        print("nothing measured: there is no Chromium (apt-get install chromium)")
        return
    here = Circumstances.now()
    with tempfile.TemporaryDirectory() as folder:
        store = options.store or Path(folder) / "store"
        if not store.exists():
            _fill(store, Path(folder), options.studies)
        with Workspace(store) as workspace, serving(workspace) as address, sync_playwright() as driver:
            studies = workspace.store.count()
            rows = measure(launch_chromium(driver), address, options.runs)
    told = [f"{row.what}: p50 {row.p50_ms:.0f} ms, p95 {row.p95_ms:.0f} ms ({row.runs} runs)" for row in rows]
    figures: dict[str, object] = {
        "synthetic": True,
        "studies": studies,
        "rows": [asdict(row) for row in rows],
    }
    hand_over(here, figures, options, "\n".join(told))


def measure(browser: Any, address: str, runs: int) -> list[Row]:
    """Visit the page and ask, again and again; the first visit and the first question do not count."""
    paints, ready, chosen, asked, served = [], [], [], [], []
    for _ in range(runs + 1):
        context = browser.new_context(viewport=VIEWPORT)
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        paints.append(page.evaluate(FIRST_PAINT))
        ready.append(page.evaluate("performance.now()"))
        context.close()
    page = browser.new_page(viewport=VIEWPORT)
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    page.click("#show-list")
    _ask_every_region(page, address)
    took: list[float] = []
    page.on("response", lambda response: took.append(_took(response)) if _is_query(response) else None)
    for number in range(runs + 1):
        chosen.append(page.evaluate(CHOOSE, number % 50))
        region = REGIONS[number % len(REGIONS)].value
        page.click(f"#region-list button[aria-label='{region}']")
        asked.append(page.evaluate(ASK))
        page.wait_for_selector("#hits:not([aria-busy])")
        page.wait_for_timeout(50)
        served.append(took[-1])
    page.close()
    return [
        _row("from opening to the first paint", paints),
        _row("from opening to the worklist shown", ready),
        _row("from choosing a study to its picture", chosen),
        _row("from the click to the cases painted", asked),
        _row("of that, the search as the server tells it", served),
    ]


def _ask_every_region(page: Any, address: str) -> None:
    """Have the server open what it opens at the first question about a region."""
    study = page.request.get(f"{address}api/studies?limit=1").json()["studies"][0]["study"]
    for region in REGIONS:
        page.request.post(f"{address}api/query", data={"study": study, "regions": [region.value]})


def _is_query(response: Any) -> bool:
    return bool(response.url.endswith("/api/query"))


def _took(response: Any) -> float:
    return float(response.json()["took_ms"])


def _row(what: str, times: list[float]) -> Row:
    counted = np.asarray(times[1:])
    return Row(
        what, round(float(np.median(counted)), 1), round(float(np.percentile(counted, 95)), 1), len(counted)
    )


def _fill(store: Path, folder: Path, studies: int) -> None:
    files = render_phantoms(folder / "phantoms", MODELS, PIXELS, 7, lambda *_: None)
    with Workspace(store, create=True) as workspace:
        fill_store(
            workspace.store, workspace.encoder, files, studies, lambda *_: None, picture_side=PICTURE_SIDE
        )


if __name__ == "__main__":
    main()
