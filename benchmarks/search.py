"""Region-conditioned search: our partitions against what users could take instead.

    python benchmarks/search.py [--studies 2000 --studies 20000] [--plot p50.html] [--tiny] [--json]

Options other than ``--plot`` go to ``edge-retrieve bench search``; docs/search.md says what they mean.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from edge_retrieve.train.charts import Line, line_chart


def plot(rows: list[dict[str, float | str]]) -> str:
    """Return p50 against size as HTML."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        lines.setdefault(str(row["method"]), []).append((float(row["studies"]), float(row["p50_ms"])))
    chart = line_chart(
        "Query in one region (synthetic), median, ms",
        {name: Line(sorted(points)) for name, points in lines.items()},
        x_label="studies",
        low=0.0,
    )
    return f"<!doctype html><meta charset='utf-8'><title>Search</title>{chart}"


def main() -> None:
    """Run the command; draw what it measured."""
    asked = sys.argv[1:]
    command = [sys.executable, "-c", "from edge_retrieve.edge_app.cli import main; main()", "bench", "search"]
    if "--plot" not in asked:
        raise SystemExit(subprocess.run([*command, *asked], check=False).returncode)
    place = asked.index("--plot")
    target = Path(asked[place + 1])
    rest = [option for option in asked[:place] + asked[place + 2 :] if option != "--json"]
    done = subprocess.run([*command, *rest, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    print(done.stdout)
    target.write_text(plot(json.loads(done.stdout)["rows"]), encoding="utf-8")


if __name__ == "__main__":
    main()
