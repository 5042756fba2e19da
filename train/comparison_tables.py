"""A comparison of objectives as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge_retrieve.train.comparison import REFERENCE, ComparisonReport
from edge_retrieve.train.config import Objective
from edge_retrieve.train.evaluate.compare import compare
from edge_retrieve.train.evaluate.ranking import Direction, Form

_METRIC = "p_at_5"


def comparison_markdown(report: ComparisonReport) -> str:
    """Return what was trained, P@5 in every direction, and the paired differences to the reference.

    First those to the best of the other objectives in each direction and form, then all.
    """
    seeds = report.reports[REFERENCE].seeds
    lines = [
        "# Objectives compared (synthetic)",
        "",
        "Every figure is synthetic: held-out phantoms, "
        f"{len(seeds)} archive(s) of {seeds[0].studies} studies (seeds "
        f"{', '.join(str(seed.seed) for seed in seeds)}). All variants were trained on the same studies in "
        "the same order, with the same tokenizer, towers, steps and losses of single images.",
        "",
        "## P@5, same finding in the same region",
        "",
        "| variant | steps | seconds | " + " | ".join(_heading(d, f) for d in Direction for f in Form) + " |",
        "|---|--:|--:|" + "--:|" * (len(Direction) * len(Form)),
    ]
    for each in report.trained:
        found = report.reports[each.variant.name]
        figures = [
            sum(seed.figure(direction, form, _METRIC) for seed in found.seeds) / len(found.seeds)
            for direction in Direction
            for form in Form
        ]
        cells = " | ".join(f"{figure:.3f}" for figure in figures)
        lines.append(f"| {each.variant.name} | {each.steps} | {each.seconds:.0f} | {cells} |")
    rows = compare(report.reports, REFERENCE)
    peers = {
        each.variant.name for each in report.trained if each.variant.config.objective is not Objective.RRA_VL
    }
    if peers:
        lines += [
            "",
            f"## {REFERENCE} minus the best other objective, P@5",
            "",
            "| direction | form | best | difference | interval |",
            "|---|---|---|--:|--:|",
            *_best_peers([row for row in rows if row["model"] in peers]),
        ]
    if rows:
        lines += [
            "",
            f"## {REFERENCE} minus each variant, P@5",
            "",
            "With the 95 % interval of a paired bootstrap over patients.",
            "",
            "| variant | direction | form | difference | interval |",
            "|---|---|---|--:|--:|",
        ]
    for row in rows:
        lines.append(f"| {row['model']} | {row['direction']} | {row['form']} | {_difference(row)} |")
    return "\n".join(lines) + "\n"


def _best_peers(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each direction and form: the objective that the reference is least ahead of."""
    lines = []
    for pair in dict.fromkeys((row["direction"], row["form"]) for row in rows):
        best = min(
            (row for row in rows if (row["direction"], row["form"]) == pair),
            key=lambda row: float(row["reference_minus"][_METRIC]["difference"]),
        )
        lines.append(f"| {pair[0]} | {pair[1]} | {best['model']} | {_difference(best)} |")
    return lines


def _difference(row: Mapping[str, Any]) -> str:
    entry = row["reference_minus"][_METRIC]
    low, high = entry["interval"]
    return f"{entry['difference']:+.3f} | {low:+.3f} to {high:+.3f}"


def _heading(direction: Direction, form: Form) -> str:
    return f"{direction.value.replace('_', ' ')}, {form.value}"
