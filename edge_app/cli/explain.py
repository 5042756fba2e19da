"""``edge-retrieve explain``: why these cases, and a preliminary report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, say
from edge_retrieve.edge_app.cli.opening import open_workspace, split_settings
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    bundle_option,
    json_option,
    setting_options,
    store_option,
)
from edge_retrieve.edge_app.cli.query_options import query_from, query_options
from edge_retrieve.edge_app.explaining import change_shape, draft_shape, evidence_shape
from edge_retrieve.edge_app.llm_settings import LLM_SETTINGS
from edge_retrieve.edge_app.shapes import plain
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.explain.as_html import Picture, explanation_html
from edge_retrieve.runtime.explain.as_text import changes_text, draft_text, evidence_text
from edge_retrieve.runtime.explain.counterfactual import Change, counterfactuals
from edge_retrieve.runtime.explain.draft import Draft
from edge_retrieve.runtime.explain.evidence import Evidence
from edge_retrieve.runtime.explain.explainer import Explainer
from edge_retrieve.runtime.explain.llm.prompting import Task
from edge_retrieve.runtime.explain.vote_curves import require_curves
from edge_retrieve.runtime.preprocess import load_radiograph, render_png
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.store import Store

_PICTURE_SIDE = 640  # pixels


@click.command()
@click.argument("subject", metavar="IMAGE|STUDY")
@store_option
@query_options
@click.option(
    "--counterfactual",
    is_flag=True,
    help="Also say what changes when a region is blanked or the image is mirrored; costs an encoding each.",
)
@click.option(
    "--html",
    "html_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page with the pictures here.",
)
@click.option(
    "--votes",
    "votes_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What votes are worth, as `eval report --fit` writes it; what is shipped if left out.",
)
@click.option(
    "--task",
    type=click.Choice([task.name.lower() for task in Task]),
    default=Task.REPORT.name.lower(),
    show_default=True,
    help="What a language model is asked for.",
)
@bundle_option
@setting_options("abstain_below", *LLM_SETTINGS, *MODEL_SETTINGS)
@json_option
def explain(
    subject: str,
    store_path: Path,
    counterfactual: bool,
    html_path: Path | None,
    votes_path: Path | None,
    task: str,
    bundle_path: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Say what the nearest cases speak for, region by region, and draft a preliminary report from them.

    IMAGE is a file; anything else is taken for a STUDY of the store. Without a region or a box every region
    is looked at.
    """
    image = Path(subject) if Path(subject).is_file() else None
    settings, asked = split_settings(options)
    question = query_from(image, **asked)
    writer = settings.writer(Task[task.upper()])
    with open_workspace(store_path, bundle_path, settings) as workspace:
        explainer = workspace.explainer
        if votes_path is not None:
            explainer = Explainer(
                workspace.store,
                workspace.encoder,
                workspace.retriever,
                abstain_below=settings.abstain_below,
                curves=require_curves(workspace.bundle, votes_path),
            )
        named = bool(question.regions or question.boxes)
        if image is None:
            evidence = explainer.explain_study(subject, question, compare_sides=named, rare=True)
        else:
            encoding, radiograph = workspace.retriever.encode_file(question)
            evidence = explainer.explain(
                question, encoding=encoding, radiograph=radiograph, compare_sides=named, rare=True
            )
        changes: tuple[Change, ...] = ()
        if counterfactual:
            if image is None:
                raise QueryError(
                    "a stored study cannot be altered", where="--counterfactual", remedy="Give its image file"
                )
            changes = counterfactuals(explainer, workspace.encoder, question, radiograph, evidence)
        draft = writer.write(evidence)
        if html_path is not None:
            _write_page(html_path, workspace.store, subject, question, evidence, draft, changes)
    if as_json:
        print_json(
            {
                "evidence": plain(evidence_shape(evidence)),
                "draft": plain(draft_shape(draft)),
                "counterfactuals": plain([change_shape(change) for change in changes]),
            }
        )
    else:
        parts = (evidence_text(evidence), changes_text(changes), draft_text(draft))
        answers().print("\n".join(part for part in parts if part), soft_wrap=True, end="")


def _write_page(
    path: Path,
    store: Store,
    subject: str,
    query: Query,
    evidence: Evidence,
    draft: Draft,
    changes: tuple[Change, ...],
) -> None:
    own = _own_picture(query.image) if query.image is not None else _picture(store, subject)
    shown = {study: picture for study in evidence.cases() if (picture := _picture(store, study)) is not None}
    title = f"Evidence: {Path(subject).name if query.image is not None else subject}"
    page = explanation_html(evidence, draft, title=title, own=own, pictures=shown, changes=changes)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise QueryError(
            f"the page cannot be written ({error.strerror})",
            where=str(path),
            remedy="Name a file that can be written to",
        ) from error
    say(f"Written: {path}")


def _own_picture(image: Path) -> Picture:
    pixels = load_radiograph(image).pixels
    return Picture(render_png(pixels, _PICTURE_SIDE), width=pixels.shape[1], height=pixels.shape[0])


def _picture(store: Store, study: str) -> Picture | None:
    image = next(iter(store.study(study).images), None)
    return None if image is None else Picture(store.preview(study), image.width, image.height)
