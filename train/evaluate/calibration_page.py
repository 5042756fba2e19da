"""Reliability and risk against coverage as one page of charts, readable with no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.bundle import Sides
from edge_retrieve.runtime.errors import ArchiveError
from edge_retrieve.train.charts import Line, line_chart
from edge_retrieve.train.evaluate.ranking import Form

PAGE = "calibration.html"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px; padding: 0 1rem }
.grid2 { display: grid; gap: 1.2rem; grid-template-columns: 1fr 1fr }
figure { margin: 0; min-width: 0 } figcaption { font-weight: 600 }
svg { width: 100%; height: auto } svg text { font-size: 12px; fill: #444 }
svg .grid { stroke: #ddd } svg polyline { fill: none; stroke-width: 1.8 }
.legend { margin: .2rem 0 0; font-size: 13px } .legend span { display: inline-block; margin-right: 1rem }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; vertical-align: -1px }
@media (max-width: 760px) { .grid2 { grid-template-columns: 1fr } }
"""


def write_page(folder: Path, title: str, report: Mapping[str, Any]) -> Path:
    """Write the charts of what ``edge-retrieve eval calibration --json`` prints.

    Parameters
    ----------
    folder : Path
        There already.
    title : str
    report : mapping

    Raises
    ------
    ArchiveError
        The folder cannot be written to.
    """
    path = folder / PAGE
    try:
        path.write_text(_page(title + (" (synthetic)" if report["synthetic"] else ""), report), "utf-8")
    except OSError as error:
        raise ArchiveError(
            f"the page cannot be written ({error.strerror})",
            where=str(path),
            remedy="Name a folder that can be written to",
        ) from error
    return path


def _page(title: str, report: Mapping[str, Any]) -> str:
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in report["calibration"]:
        groups.setdefault((row["form"], row["studies"]), []).append(row)
    sections = []
    for form in Form:
        for (name, studies), rows in groups.items():
            if name == form.value:
                sections.append(f"<h2>{form.value}, {studies} studies</h2>{_charts(rows)}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{escape(title)}</h1><p>Curves fitted on: {escape(report['data'])}. A hit is right where it has "
        "the query's finding in the query's region. Of "
        f"{report['unanswerable']:.0%} of the queries all right cases were taken out of the archive.</p>"
        f"{''.join(sections)}</body></html>\n"
    )


def _charts(rows: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for searched in Sides:
        shown = [row for row in rows if row["searched"] == searched.value]
        against = f"against {_words(searched.value)}"
        reliability = {"as it should be": Line([(0.0, 0.0), (1.0, 1.0)])}
        risk = {}
        for row in shown:
            asked = _words(row["asked"])
            reliability[asked] = Line([(each["probability"], each["right"]) for each in row["bins"]])
            risk[asked] = Line([(coverage, value) for coverage, value in row["risk_coverage"]])
        parts.append(
            line_chart(f"Share of right hits, {against}", reliability, x_label="probability", low=0, high=1)
        )
        parts.append(
            line_chart(f"Wrong first hits, {against}", risk, x_label="share of queries answered", low=0.0)
        )
    return f'<div class="grid2">{"".join(parts)}</div>'


def _words(sides: str) -> str:
    return {"image": "image", "text": "report", "image_text": "image and report"}[sides]
