"""Models compared on the same phantoms, query by query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.evaluate.bootstrap import RESAMPLES
from edge_retrieve.train.evaluate.phantom import PhantomReport
from edge_retrieve.train.evaluate.plain import plain
from edge_retrieve.train.evaluate.retrieval import Summary


def compare(
    reports: Mapping[str, PhantomReport], reference: str, *, resamples: int = RESAMPLES
) -> list[dict[str, Any]]:
    """Return one row per other model, direction and form: the reference minus it.

    Parameters
    ----------
    reports : mapping of str to PhantomReport
        By the model's name; made by `evaluate_phantoms` of the same seeds and size.
    reference : str
        The model that is compared with each of the others.
    resamples : int
        Of the paired bootstrap over patients.

    Returns
    -------
    list of dict
        ``model``, ``direction``, ``form`` and ``reference_minus``: by metric the difference, its
        interval and the ratio.

    Raises
    ------
    ConfigError
        The reports are of different archives, or the reference is none of them.
    """
    if reference not in reports:
        raise ConfigError(f"no report of {reference}", where="compare", remedy=f"There are {sorted(reports)}")
    sizes = {tuple((seed.seed, seed.studies) for seed in report.seeds) for report in reports.values()}
    if len(sizes) > 1:
        raise ConfigError(
            "the reports are of different archives", where="compare", remedy="Use the same seeds and studies"
        )
    ours = [seed.retrieval for seed in reports[reference].seeds]
    summary = Summary(ours, resamples)
    rows = []
    for name, report in reports.items():
        if name == reference:
            continue
        theirs = [seed.retrieval for seed in report.seeds]
        for pair in summary.pairs:
            difference = summary.difference(
                [result.ours[pair] for result in ours], [result.ours[pair] for result in theirs]
            )
            direction, form = pair
            rows.append(
                {
                    "model": name,
                    "direction": direction.value,
                    "form": form.value,
                    "reference_minus": plain(difference),
                }
            )
    return rows
