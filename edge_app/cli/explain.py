"""``edge-retrieve explain``: why these cases, and a preliminary report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, say
from edge_retrieve.edge_app.cli.opening import open_workspace, split_settings
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    bundle_option,
    json_option,
    maybe_store_option,
    server_option,
    setting_options,
    token_option,
)
from edge_retrieve.edge_app.cli.query_options import query_from, query_options
from edge_retrieve.edge_app.cli.remote import open_client, refuse_options, require_one
from edge_retrieve.edge_app.client import Client
from edge_retrieve.edge_app.client.questions import document_of
from edge_retrieve.edge_app.explained import change_of, draft_of, evidence_of
from edge_retrieve.edge_app.explaining import change_shape, draft_shape, evidence_shape
from edge_retrieve.edge_app.llm_settings import LLM_SETTINGS
from edge_retrieve.edge_app.notice import DISCLAIMER, Notice
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.shapes import ChangeShape, DraftShape, EvidenceShape, plain
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.explain.as_html import Picture, explanation_html
from edge_retrieve.runtime.explain.as_text import changes_text, draft_text, evidence_text
from edge_retrieve.runtime.explain.counterfactual import (
    StoredPicture,
    control,
    counterfactuals,
)
from edge_retrieve.runtime.explain.draft import DraftWriter
from edge_retrieve.runtime.explain.explainer import Explainer
from edge_retrieve.runtime.explain.llm.prompting import Task
from edge_retrieve.runtime.explain.vote_curves import require_curves
from edge_retrieve.runtime.preprocess import load_radiograph, render_png
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.stored_picture import displayed

_PICTURE_SIDE = 640  # pixels
_OF_STORES = ("votes_path", "task", "bundle_path", "abstain_below", *LLM_SETTINGS, *MODEL_SETTINGS)


@dataclass(frozen=True)
class _Told:
    """What a store or a server answers."""

    evidence: EvidenceShape
    draft: DraftShape
    changes: list[ChangeShape]


@click.command()
@click.argument("subject", metavar="IMAGE|STUDY")
@maybe_store_option
@server_option
@token_option
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
    store_path: Path | None,
    server: str | None,
    token_file: Path | None,
    counterfactual: bool,
    html_path: Path | None,
    votes_path: Path | None,
    task: str,
    bundle_path: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Say what the nearest cases speak for, region by region, and draft a preliminary report from them.

    IMAGE is a file; anything else is taken for a STUDY of the store, or of the server's. Without a region
    or a box every region is looked at.
    """
    require_one(store_path, server, token_file)
    if server is not None:
        refuse_options(*_OF_STORES)
    image = Path(subject) if Path(subject).is_file() else None
    settings, asked = split_settings(options)
    question = query_from(image, **asked)
    if server is not None:
        with open_client(server, token_file) as client:
            told = _ask_server(client, question, subject, counterfactual)
            if html_path is not None:
                _write_page(
                    html_path, subject, question, told, _server_notice(client), _server_picture(client)
                )
    else:
        assert store_path is not None  # as required above
        with open_workspace(store_path, bundle_path, settings) as workspace:
            explainer = _explainer(workspace, votes_path, settings)
            writer = settings.writer(Task[task.upper()])
            told = _ask_store(workspace, explainer, writer, question, subject, counterfactual)
            if html_path is not None:
                notice = Notice.whole(workspace)
                _write_page(html_path, subject, question, told, notice, _store_picture(workspace))
    if as_json:
        named = {"evidence": told.evidence, "draft": told.draft, "counterfactuals": told.changes}
        print_json(plain(named))
    else:
        changes = tuple(change_of(each) for each in told.changes)
        parts = (
            evidence_text(evidence_of(told.evidence)),
            changes_text(changes),
            draft_text(draft_of(told.draft)),
        )
        answers().print("\n".join(part for part in parts if part), soft_wrap=True, end="")


def _explainer(workspace: Workspace, votes: Path | None, settings: ServerSettings) -> Explainer:
    if votes is None:
        return workspace.explainer
    return Explainer(
        workspace.store,
        workspace.encoder,
        workspace.retriever,
        abstain_below=settings.abstain_below,
        curves=require_curves(workspace.bundle, votes),
    )


def _ask_store(
    workspace: Workspace,
    explainer: Explainer,
    writer: DraftWriter,
    question: Query,
    subject: str,
    counterfactual: bool,
) -> _Told:
    encoder = workspace.encoder
    named = bool(question.regions or question.boxes)
    if question.image is None:
        evidence = explainer.explain_study(subject, question, compare_sides=named, rare=True)
    else:
        encoding, radiograph = workspace.retriever.encode_file(question)
        evidence = explainer.explain(
            question, encoding=encoding, radiograph=radiograph, compare_sides=named, rare=True
        )
    changes: list[ChangeShape] = []
    if counterfactual and question.image is not None:
        found = counterfactuals(explainer, encoder, question, radiograph, evidence)
        changes = [change_shape(each) for each in found]
    elif counterfactual:
        stored = workspace.store.picture(subject)
        picture = StoredPicture(subject, displayed(stored.image()), stored.width, stored.height)
        before = control(explainer, encoder, question, picture)
        found = counterfactuals(explainer, encoder, question, picture, before)
        changes = [change_shape(each) for each in found]
    return _Told(evidence_shape(evidence), draft_shape(writer.write(evidence)), changes)


def _ask_server(client: Client, question: Query, subject: str, counterfactual: bool) -> _Told:
    upload = None if question.image is None else client.encode(question.image).upload
    asked = document_of(question, upload=upload, study=subject if upload is None else None)
    found = client.explain(asked)
    kept = found.draft if found.language_model is None else client.draft(asked)
    draft = DraftShape(**{each.name: getattr(kept, each.name) for each in fields(DraftShape)})
    changes = client.alterations(asked).changes if counterfactual else []
    return _Told(found.evidence, draft, changes)


def _write_page(
    path: Path,
    subject: str,
    query: Query,
    told: _Told,
    notice: Notice,
    picture: Callable[[str], Picture | None],
) -> None:
    evidence = evidence_of(told.evidence)
    shown = {study: found for study in evidence.cases() if (found := picture(study)) is not None}
    name = subject if query.image is None else query.image.name
    page = explanation_html(
        evidence,
        draft_of(told.draft),
        title=f"Evidence: {name}",
        own=picture(subject) if query.image is None else _own_picture(query.image),
        pictures=shown,
        changes=tuple(change_of(each) for each in told.changes),
        foot=(DISCLAIMER, *notice.words()),
    )
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


def _store_picture(workspace: Workspace) -> Callable[[str], Picture | None]:
    def picture(study: str) -> Picture | None:
        image = next(iter(workspace.store.study(study).images), None)
        return None if image is None else Picture(workspace.store.preview(study), image.width, image.height)

    return picture


def _server_picture(client: Client) -> Callable[[str], Picture | None]:
    def picture(study: str) -> Picture | None:
        held = client.study(study)
        return Picture(client.image(study), held.width, held.height) if held.width else None

    return picture


def _server_notice(client: Client) -> Notice:
    held = client.archive()
    return Notice(held.model.id, held.name, held.synthetic, held.model.training_data, held.studies)
