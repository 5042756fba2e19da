"""The options of ``edge-retrieve query`` that say what is asked, and how they become a `Query`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.anatomy.names import region_named
from edge_retrieve.runtime.bundle import FusionWeights
from edge_retrieve.runtime.filters import SEXES, Filters, date_named
from edge_retrieve.runtime.findings.names import finding_named
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.runtime.query import BOTH, Combine, Query

Command = TypeVar("Command", bound=Callable[..., Any])

_AGE = click.FloatRange(0, 150)


def _weighted(text: str, ctx: click.Context, param: click.Parameter) -> tuple[str, float]:
    """Split ``WHAT=WEIGHT``; what has no weight counts 1."""
    what, equals, weight = text.rpartition("=")
    if not equals:
        return text, 1.0
    try:
        return what, float(weight)
    except ValueError:
        raise click.BadParameter(f"'{weight}' is no weight, as in {what}=2", ctx, param) from None


def _regions(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[Region, float], ...]:
    pairs = [_weighted(text, ctx, param) for text in texts]
    return tuple((region_named(name), weight) for name, weight in pairs)


def _boxes(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[Box, float], ...]:
    boxes = []
    for text in texts:
        edges, weight = _weighted(text, ctx, param)
        try:
            x1, y1, x2, y2 = (float(edge) for edge in edges.split(","))
        except ValueError:
            raise click.BadParameter(
                f"'{edges}' is no box. Write it as x1,y1,x2,y2 in pixels: 120,80,260,210", ctx, param
            ) from None
        boxes.append((Box(x1, y1, x2, y2), weight))
    return tuple(boxes)


def _fusion(ctx: click.Context, param: click.Parameter, text: str | None) -> FusionWeights | None:
    if text is None:
        return None
    try:
        first, second, third, fourth = (float(weight) for weight in text.split(","))
    except ValueError:
        raise click.BadParameter(f"'{text}' is not four numbers, as in 0.3,0.2,0.3,0.2", ctx, param) from None
    return FusionWeights(first, second, third, fourth)


_OPTIONS = (
    click.option("--text", metavar="T", help="Report text or a phrase."),
    click.option(
        "--region",
        "regions",
        metavar="NAME[=WEIGHT]",
        multiple=True,
        callback=_regions,
        help="A suspicious region; may be repeated.",
    ),
    click.option(
        "--box",
        "boxes",
        metavar="x1,y1,x2,y2[=WEIGHT]",
        multiple=True,
        callback=_boxes,
        help="A box on the image, in pixels as displayed; may be repeated.",
    ),
    click.option(
        "--combine",
        type=click.Choice([each.value for each in Combine]),
        default=Combine.WEIGHTED.value,
        show_default=True,
        help="What counts of several places: their weighted mean, the best, or the worst.",
    ),
    click.option(
        "--side",
        "sides",
        type=click.Choice([each.value for each in Modality]),
        multiple=True,
        help="Search only the archive's images, or only its reports.",
    ),
    click.option(
        "--fusion",
        metavar="II,IT,TI,TT",
        callback=_fusion,
        help="What image to image, image to report, text to image and text to report count; the bundle's "
        "weights if left out.",
    ),
    click.option(
        "--finding",
        "findings",
        metavar="NAME",
        multiple=True,
        help="Only cases whose report states this finding; may be repeated for any of several.",
    ),
    click.option(
        "--sex",
        "sexes",
        type=click.Choice(SEXES, case_sensitive=False),
        multiple=True,
        help="Only patients of this sex; may be repeated.",
    ),
    click.option("--age-from", type=_AGE, metavar="YEARS", help="Only patients of this age or older."),
    click.option("--age-to", type=_AGE, metavar="YEARS", help="Only patients of this age or younger."),
    click.option("--date-from", metavar="DATE", help="Only studies of this day or later, as in 2024-01-31."),
    click.option("--date-to", metavar="DATE", help="Only studies of this day or earlier."),
    click.option(
        "--view",
        "views",
        type=click.Choice([view.value for view in View], case_sensitive=False),
        multiple=True,
        help="Only studies with an image of this view; may be repeated.",
    ),
    click.option(
        "--exclude-patient",
        "exclude_patients",
        metavar="ID",
        multiple=True,
        help="Leave a patient's cases out; may be repeated.",
    ),
    click.option(
        "--same-patient", is_flag=True, help="Let other studies of the query's own patient be cases, too."
    ),
    click.option("--one-per-patient", is_flag=True, help="Only the best case of each patient."),
    click.option(
        "-k", "k", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Cases wanted."
    ),
    click.option(
        "--offset",
        type=click.IntRange(0, 10_000),
        default=0,
        show_default=True,
        help="Cases to pass over first: the pages before this one.",
    ),
    click.option("--min-score", type=float, metavar="S", help="Leave out cases that score less."),
)


def query_options(command: Command) -> Command:
    """Add the options that `query_from` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def query_from(
    image: Path | None,
    *,
    regions: tuple[tuple[Region, float], ...],
    boxes: tuple[tuple[Box, float], ...],
    combine: str,
    sides: tuple[str, ...],
    findings: tuple[str, ...],
    sexes: tuple[str, ...],
    age_from: float | None,
    age_to: float | None,
    date_from: str | None,
    date_to: str | None,
    views: tuple[str, ...],
    exclude_patients: tuple[str, ...],
    **rest: Any,
) -> Query:
    """Return what the options ask.

    Raises
    ------
    QueryError
        Where they contradict each other.
    """
    named: dict[Region, float] = {}
    for region, weight in regions:
        named.setdefault(region, weight)  # of one named twice the first counts, as over HTTP
    weights = (*named.values(), *(weight for _, weight in boxes))
    query = Query(
        image=image,
        regions=tuple(named),
        boxes=tuple(box for box, _ in boxes),
        weights=() if set(weights) <= {1.0} else weights,
        combine=Combine(combine),
        sides=tuple(Modality(side) for side in dict.fromkeys(sides)) or BOTH,
        filters=Filters(
            findings=tuple(finding_named(name) for name in findings),
            sexes=tuple(sex.upper() for sex in sexes),
            age_from=age_from,
            age_to=age_to,
            date_from=date_named(date_from) if date_from else "",
            date_to=date_named(date_to) if date_to else "",
            views=tuple(View(view.upper()) for view in views),
            exclude_patients=exclude_patients,
        ),
        **rest,
    )
    query.check()
    return query
