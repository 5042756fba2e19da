"""How long the evidence of a query and its draft take, beside an encoding of the image.

    python benchmarks/explaining.py [--studies 300] [--runs 30] [--tiny] [--json] [--out FILE]

The cases are rendered phantoms and cases scattered around them (synthetic), encoded by the shipped demo
bundle. All take turns, so that a busy machine slows them alike.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from recording import Circumstances, hand_over, take_out

from edge_retrieve.edge_app.bench.phantom_archive import fill_store, render_phantoms
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.explain.template import TemplateWriter
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.timing import Timing, take_turns

_PHANTOMS, _PIXELS, _SEED = 12, 512, 501


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--tiny", action="store_true")
    take_out(parser)
    options = parser.parse_args()
    if options.tiny:
        options.studies, options.runs = 40, 3
    here = Circumstances.now()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), options.studies, options.runs)
    told = [f"{options.studies} synthetic studies, load {here.load}, {here.machine}"]
    for what, timing in rows.items():
        told.append(
            f"{what:44} {timing.p50_ms:9.2f} ms  (p99 {timing.p99_ms:.2f}, processor {timing.cpu_ms:.2f})"
        )
    figures: dict[str, object] = {
        "synthetic": True,
        "studies": options.studies,
        "rows": [{"what": what, **asdict(timing)} for what, timing in rows.items()],
    }
    hand_over(here, figures, options, "\n".join(told))


def measure(folder: Path, studies: int, runs: int) -> dict[str, Timing]:
    """Return what takes how long, with one image of its own."""
    files = render_phantoms(folder / "made", _PHANTOMS + 1, _PIXELS, _SEED, lambda *_: None)
    with Workspace(folder / "store", create=True) as workspace:
        fill_store(workspace.store, workspace.encoder, files[1:], studies, lambda *_: None)
        retriever, explainer = workspace.retriever, workspace.explainer
        query = Query(image=files[0], regions=(Region.RIGHT_LUNG,))
        everywhere = Query(image=files[0])
        encoding, radiograph = retriever.encode_file(query)
        known = {"encoding": encoding, "radiograph": radiograph}
        result = retriever.query(query, **known)
        surveyed = explainer.explain(everywhere, **known)
        return take_turns(
            {
                "encode the image": lambda: workspace.encoder.encode_image(radiograph.pixels),
                "query, one region, 10 hits": lambda: retriever.query(query, **known),
                "evidence of these hits": lambda: explainer.explain(query, **known, result=result),
                "evidence, sides compared, rare findings": lambda: explainer.explain(
                    query, **known, compare_sides=True, rare=True
                ),
                "evidence of all 29 regions, with their queries": lambda: explainer.explain(
                    everywhere, **known
                ),
                "draft of all 29 regions": lambda: TemplateWriter().write(surveyed),
            },
            runs,
        )


if __name__ == "__main__":
    main()
