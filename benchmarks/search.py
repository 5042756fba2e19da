"""Region-conditioned search: our partitions against what users could take instead.

    python benchmarks/search.py [--out RESULT.json] [--studies 2000 --studies 20000] [--tiny]
    python benchmarks/search.py --plot p50.html RESULT.json...

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
from pathlib import Path
from typing import Any

from recording import Circumstances

from edge_retrieve.train.charts import Line, line_chart


def plot(rows: list[dict[str, Any]]) -> str:
    """Return p50 against size as HTML, both in powers of ten."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        point = math.log10(row["studies"]), math.log10(row["p50_ms"])
        lines.setdefault(row["method"], []).append(point)
    chart = line_chart(
        "Query in one region (synthetic), median: log10 of milliseconds",
        {name: Line(sorted(points)) for name, points in lines.items()},
        x_label="log10 of studies",
    )
    return f"<!doctype html><meta charset='utf-8'><title>Search</title>{chart}"


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
