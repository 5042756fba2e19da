"""A comparison of objectives as Markdown tables."""

from __future__ import annotations

from edge_retrieve.train.comparison import REFERENCE, ComparisonReport
from edge_retrieve.train.evaluate.compare import compare
from edge_retrieve.train.evaluate.ranking import Direction, Form

_METRIC = "p_at_5"


def comparison_markdown(report: ComparisonReport) -> str:
    """Return what was trained, P@5 in every direction, and the paired differences to the reference."""
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
        entry = row["reference_minus"][_METRIC]
        low, high = entry["interval"]
        lines.append(
            f"| {row['model']} | {row['direction']} | {row['form']} | {entry['difference']:+.3f} "
            f"| {low:+.3f} to {high:+.3f} |"
        )
    return "\n".join(lines) + "\n"


def _heading(direction: Direction, form: Form) -> str:
    return f"{direction.value.replace('_', ' ')}, {form.value}"
