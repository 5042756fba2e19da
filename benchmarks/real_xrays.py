"""What a bundle makes of real X-rays: every file through ingest and query, lung boxes against drawn ones.

    .venv/bin/python benchmarks/real_xrays.py [--data ../shared/data] [--out DIR] [--overlays DIR] [--tiny]

Writes `figures.json` and `lung-boxes.png` (outlines only, no pixel of any X-ray) into --out. With
--overlays it also draws the boxes on the real images, for local reading; those are never to be shared.
Where the real X-rays are not beside the project there is nothing to measure, and it says so.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from recording import Circumstances

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.bundle import inspect_bundle
from edge_retrieve.runtime.encoder import Encoder, ImageEncoding
from edge_retrieve.runtime.errors import EdgeRetrieveError
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.preprocess import find_inputs, load_radiograph
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import Store
from edge_retrieve.train.evaluate.regions import SIDES, LungScore, evaluate_regions, read_cases

DRAWN, FOUND, FLAGGED = (120, 190, 120), (240, 160, 60), (220, 70, 70)
CONDITION = (Region.RIGHT_LOWER_LUNG_ZONE, Region.LEFT_LOWER_LUNG_ZONE)


@dataclass(frozen=True)
class _Paths:
    data: Path
    out: Path
    overlays: Path | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--overlays", type=Path, default=None)
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--tiny", action="store_true", help="measure eight images only")
    options = parser.parse_args()
    if not (options.data / "cxr" / "cases.csv").is_file():
        print(f"real_xrays: no real X-rays at {options.data}: nothing measured")
        return
    here = Circumstances.now()
    with tempfile.TemporaryDirectory() as scratch, Encoder(inspect_bundle(options.bundle)) as encoder:
        out = options.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        paths = _Paths(options.data, out, options.overlays)
        figures = {
            "ingest_and_query": _through_the_store(
                encoder, paths, Path(scratch), 8 if options.tiny else None
            ),
        }
        if not options.tiny:
            figures["lung_boxes"] = _lung_boxes(encoder, paths)
        text = json.dumps({**asdict(here), **figures}, indent=2)
        (out / "figures.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def _through_the_store(
    encoder: Encoder, paths: _Paths, scratch: Path, limit: int | None
) -> dict[str, object]:
    files = list(find_inputs([paths.data / "cxr" / "images", paths.data / "samples"]))[:limit]
    outcomes: Counter[str] = Counter()
    refused: dict[str, str] = {}
    answered = 0
    lookups: list[float] = []
    store_path = scratch / "store"
    with Store.open(store_path, bundle=encoder.bundle, create=True) as store:
        began = time.perf_counter()
        summary = ingest(store, encoder, files, reports=paths.data / "cxr" / "cases.csv")
        seconds = time.perf_counter() - began
        for item in summary.files:
            outcomes[item.outcome.value] += 1
        retriever = Retriever(store, encoder)
        for path in files:
            for regions in ((), CONDITION):
                try:
                    start = time.perf_counter()
                    result = retriever.query(Query(image=path, regions=regions, k=5))
                    lookups.append(time.perf_counter() - start)
                    answered += bool(result.hits)
                except EdgeRetrieveError as error:
                    refused[path.name] = str(error)
    return {
        "files": len(files),
        "outcomes": dict(outcomes),
        "ingest_seconds": round(seconds, 2),
        "queries": 2 * len(files),
        "answered": answered,
        "refused": refused,
        "query_median_ms": round(1e3 * float(np.median(lookups)), 1),
    }


def _lung_boxes(encoder: Encoder, paths: _Paths) -> dict[str, object]:
    cases_csv = paths.data / "cxr" / "cases.csv"
    level = encoder.bundle.manifest.thresholds.get("box_score_flag", 0.5)
    report = evaluate_regions(cases_csv, encoder, flag_below=level)
    scores: dict[str, list[LungScore]] = {}
    for score in report.scores:
        scores.setdefault(score.file, []).append(score)
    tiles = []
    ordered = sorted(scores, key=lambda name: np.mean([score.iou for score in scores[name]]))
    truth = dict(read_cases(cases_csv))
    for name in ordered:
        radiograph = load_radiograph(cases_csv.parent / name)
        encoding = encoder.encode_image(radiograph.pixels)
        tiles.append(_outline(encoding, truth[name], scores[name]))
        if paths.overlays is not None:
            _overlay(radiograph.pixels, encoding, paths.overlays / f"{Path(name).stem}.png")
    _sheet(tiles, 9).save(paths.out / "lung-boxes.png", optimize=True)
    return report.to_json()


def _outline(encoding: ImageEncoding, truth: dict[Region, Box], scores: list[LungScore]) -> Image.Image:
    side, scale = 120, 112 / max(encoding.width, encoding.height)
    tile = Image.new("RGB", (side, side + 14), (16, 18, 22))
    draw = ImageDraw.Draw(tile)
    draw.rectangle((4, 4, 4 + encoding.width * scale, 4 + encoding.height * scale), fill=(34, 38, 46))
    flagged = {score.region for score in scores if score.flagged}
    for region in SIDES.values():
        found = encoding.boxes[region.position]
        for box, colour in ((truth[region], DRAWN), (found, FLAGGED if region in flagged else FOUND)):
            draw.rectangle([4 + edge * scale for edge in box.as_tuple()], outline=colour, width=2)
    draw.text((4, side), " ".join(f"{score.iou:.2f}" for score in scores), fill=(200, 204, 210))
    return tile


def _overlay(pixels: np.ndarray, encoding: ImageEncoding, path: Path) -> None:
    picture = Image.fromarray((pixels * 255).astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for region, box in zip(Region, encoding.boxes, strict=True):
        colour = FOUND if region in SIDES.values() else (90, 140, 220)
        draw.rectangle(box.as_tuple(), outline=colour, width=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def _sheet(tiles: list[Image.Image], columns: int) -> Image.Image:
    width, height = tiles[0].size
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height), (16, 18, 22))
    for n, tile in enumerate(tiles):
        sheet.paste(tile, (n % columns * width, n // columns * height))
    return sheet


if __name__ == "__main__":
    main()
