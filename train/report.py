"""The report of a training run: one HTML file with plots and example hits, readable with no network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.errors import TrainingError
from edge_retrieve.train.charts import Line, line_chart
from edge_retrieve.train.examples import Example, Picture, load_examples
from edge_retrieve.train.log import CONFIG, EPOCHS, STEPS, JsonLines

REPORT = "report.html"
_SYNTHETIC = "validation_synthetic"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px;
  padding: 0 1rem; color: #1a1a1a }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2rem }
.note { color: #555; margin-top: 0 } .grid2 { display: grid; gap: 1.2rem; grid-template-columns: 1fr 1fr }
figure { margin: 0; min-width: 0 } figcaption { font-weight: 600 }
svg { width: 100%; height: auto } svg text { font-size: 12px; fill: #444 }
svg .grid { stroke: #ddd } svg polyline { fill: none; stroke-width: 1.8 }
.legend { margin: .2rem 0 0; font-size: 13px } .legend span { display: inline-block; margin-right: 1rem }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; vertical-align: -1px }
table { border-collapse: collapse } th, td { padding: .2rem .8rem .2rem 0; text-align: right }
th:first-child, td:first-child { text-align: left } th { border-bottom: 1px solid #999 }
.hits { display: grid; grid-template-columns: repeat(6, 1fr); gap: .6rem; margin-bottom: 1.2rem }
.hits svg { display: block } .hits figcaption { font-weight: 400; font-size: 13px }
.hits rect { fill: none; stroke: #ffd400; stroke-width: 2 } .yes { color: #00694d } .no { color: #a33a00 }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto; font-size: 13px }
@media (max-width: 760px) { .grid2 { grid-template-columns: 1fr }
  .hits { grid-template-columns: repeat(3, 1fr) } }
"""


def write_report(folder: Path) -> Path:
    """Write the report of a run, finished or not, into its folder.

    Parameters
    ----------
    folder : Path
        The `out` of the run's configuration.

    Returns
    -------
    Path
        Of the HTML file.

    Raises
    ------
    TrainingError
        The folder holds no logs of a run.
    """
    steps, epochs = JsonLines(folder / STEPS).read(), JsonLines(folder / EPOCHS).read()
    if not steps and not epochs:
        raise TrainingError(
            "no run to report on",
            where=str(folder),
            remedy="Name the folder that `edge-retrieve train` wrote into (`out` in its configuration)",
        )
    path = folder / CONFIG
    config = path.read_text(encoding="utf-8") if path.is_file() else ""
    target = folder / REPORT
    target.write_text(_page(config, steps, epochs, load_examples(folder)), encoding="utf-8")
    return target


def _page(
    config: str,
    steps: Sequence[Mapping[str, Any]],
    epochs: Sequence[Mapping[str, Any]],
    examples: Sequence[Example],
) -> str:
    synthetic = _is_synthetic(config, epochs)
    kind = "synthetic" if synthetic else "validation studies"
    title = "Training report" + (" (synthetic)" if synthetic else "")
    origin = (
        "All studies are synthetic phantoms: no figure here says anything about real patients."
        if synthetic
        else "This page holds pictures of the validation studies: treat it as patient data."
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f'<h1>{title}</h1><p class="note">{len(steps)} batches in {len(epochs)} finished epochs. {origin}</p>'
        f"{_charts(steps, epochs, kind)}{_table(epochs, kind)}{_examples(examples, kind)}"
        f"<h2>Configuration</h2><pre>{escape(config)}</pre></body></html>\n"
    )


def _is_synthetic(config: str, epochs: Sequence[Mapping[str, Any]]) -> bool:
    if epochs:
        return _SYNTHETIC in epochs[-1]
    return bool(config) and json.loads(config).get("data", {}).get("source", "phantom") == "phantom"


def _figures(epoch: Mapping[str, Any]) -> Mapping[str, float]:
    found: Mapping[str, float] = epoch.get(_SYNTHETIC, epoch.get("validation", {}))
    return found


def _charts(steps: Sequence[Mapping[str, Any]], epochs: Sequence[Mapping[str, Any]], kind: str) -> str:
    parts = _lines([(step["step"], step["loss"]) for step in steps])
    watched = _lines([(epoch["epoch"], _figures(epoch)) for epoch in epochs])
    retrieval = {name: line for name, line in watched.items() if name.startswith("p_at")}
    boxes = {name: line for name, line in watched.items() if name.startswith("box")}
    rates = _lines([(step["step"], {"learning rate": step["learning_rate"]}) for step in steps])
    norms = _lines(
        [(step["step"], {"norm": step["gradient_norm"]}) for step in steps if "gradient_norm" in step]
    )
    every = {"all": Line([(float(step["step"]), float(sum(step["loss"].values()))) for step in steps])}
    charts = [
        line_chart("Loss, weighted sum", every, x_label="batch"),
        line_chart("Losses by part, weighted", parts, x_label="batch"),
        line_chart(f"Retrieval ({kind})", retrieval, x_label="epoch", low=0.0, high=1.0),
        line_chart(f"Region boxes, mean IoU ({kind})", boxes, x_label="epoch", low=0.0, high=1.0),
        line_chart("Learning rate", rates, x_label="batch"),
        line_chart("Gradient norm before clipping", norms, x_label="batch"),
    ]
    return f'<div class="grid2">{"".join(charts)}</div>'


def _lines(entries: Iterable[tuple[int, Mapping[str, float]]]) -> dict[str, Line]:
    """Return one line for each name, over the entries that hold it."""
    points: dict[str, list[tuple[float, float]]] = {}
    for place, values in entries:
        for name, value in values.items():
            points.setdefault(name, []).append((float(place), float(value)))
    return {name: Line(line) for name, line in points.items()}


def _table(epochs: Sequence[Mapping[str, Any]], kind: str) -> str:
    if not epochs:
        return ""
    names = list(dict.fromkeys(name for epoch in epochs for name in _figures(epoch)))
    head = "".join(f"<th>{escape(name)}</th>" for name in ("epoch", "stage", "seconds", "loss", *names))
    rows = []
    for epoch in epochs:
        figures = _figures(epoch)
        cells = [
            str(epoch["epoch"]),
            escape(str(epoch["stage"])),
            f"{epoch['seconds']:.0f}",
            f"{sum(epoch['loss'].values()):.3f}",
            *(f"{figures[name]:.3f}" if name in figures else "" for name in names),
        ]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<h2>Epochs ({kind})</h2><table><tr>{head}</tr>{''.join(rows)}</table>"


def _examples(examples: Sequence[Example], kind: str) -> str:
    if not examples:
        return ""
    parts = [
        f"<h2>Example queries ({kind})</h2><p class='note'>Image to image in one region, on boxes the model "
        "found. A hit is relevant where the report states the same finding in the same region.</p>"
    ]
    for example in examples:
        shown = [_shown(example.query, f"query: {example.finding}, {example.region}", "")]
        for n, hit in enumerate(example.hits):
            word, style = ("relevant", "yes") if hit.relevant else ("not relevant", "no")
            shown.append(_shown(hit, f"{n + 1}. {hit.score:.3f} {word}", style))
        parts.append(f'<div class="hits">{"".join(shown)}</div>')
    return "".join(parts)


def _shown(picture: Picture, caption: str, style: str) -> str:
    x1, y1, x2, y2 = (192 * edge for edge in picture.box)
    return (
        '<figure><svg viewBox="0 0 192 192">'
        f'<image href="data:image/jpeg;base64,{picture.jpeg}" width="192" height="192"/>'
        f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}"/></svg>'
        f'<figcaption class="{style}">{escape(caption)}</figcaption></figure>'
    )
