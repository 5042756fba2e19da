"""Region-conditioned search: our partitions against what users could take instead.

    python benchmarks/search.py [--out RESULT.json] [--studies 2000 --studies 20000] [--tiny]
    python benchmarks/search.py --plot p50.svg RESULT.json...

What is not named here goes to ``edge-retrieve bench search``; docs/search.md says what the figures mean. A
result holds the command's answer, the day and the machine. The plot draws p50 against size from any number of
results.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from recording import Circumstances

# Okabe and Ito 2008: told apart by people with any colour vision.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a7b00", "#000000", "#e69f00")
WIDTH, HEIGHT, LEFT, TOP, NAMES = 760, 380, 64, 32, 230  # pixels; NAMES: what lines' names take


def plot(rows: list[dict[str, Any]]) -> str:
    """Return p50 against size as an SVG, both in powers of ten, each line named at its end."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in sorted(rows, key=lambda row: row["studies"]):
        lines.setdefault(row["method"], []).append((row["studies"], row["p50_ms"]))
    sizes = [row["studies"] for row in rows]
    times = [row["p50_ms"] for row in rows]
    right, bottom = WIDTH - NAMES, HEIGHT - 40
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))

    def across(studies: float) -> float:
        share = math.log(studies / min(sizes)) / math.log(max(max(sizes) / min(sizes), 1.001))
        return LEFT + share * (right - LEFT)

    def down(ms: float) -> float:
        return bottom - (math.log10(ms) - low) / (high - low) * (bottom - TOP)

    parts = [f'<text x="{LEFT}" y="18" font-weight="bold">A query in one region, median (synthetic)</text>']
    for power in range(low, high + 1):
        y = down(10.0**power)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#ccc"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} ms</text>')
    for size in sorted(set(sizes)):
        x = across(size)
        parts.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#eee"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{size:,}</text>')
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 4}" text-anchor="middle">studies</text>')
    above = 0.0
    for colour, (name, points) in zip(
        COLOURS, sorted(lines.items(), key=lambda line: -line[1][-1][1]), strict=False
    ):
        places = [(across(studies), down(ms)) for studies, ms in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        x, y = places[-1]
        above = max(y + 4, above + 15)  # names do not cover each other
        parts.append(f'<text x="{x + 8:.1f}" y="{above:.1f}" fill="{colour}">{escape(name)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def main() -> None:
    """Measure, or draw what was measured."""
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    asked, rest = parser.parse_known_args()
    if asked.plot:
        results = [json.loads(Path(name).read_text(encoding="utf-8")) for name in rest]
        asked.plot.write_text(plot([row for result in results for row in result["rows"]]), encoding="utf-8")
        return
    command = [sys.executable, "-c", "from edge_retrieve.edge_app.cli import main; main()", "bench", "search"]
    if not asked.out:
        raise SystemExit(subprocess.run([*command, *rest], check=False).returncode)
    about = asdict(Circumstances.now())
    rest = [option for option in rest if option != "--json"]
    done = subprocess.run([*command, *rest, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    asked.out.write_text(json.dumps(about | json.loads(done.stdout), indent=1) + "\n", encoding="utf-8")
    print(done.stdout)


if __name__ == "__main__":
    main()
