"""``edge-retrieve results``: what a search found, as objects that a PACS and other systems take."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_retrieve.edge_app.audit.commands import audited
from edge_retrieve.edge_app.audit.events import Action
from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.opening import open_workspace, split_settings
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    bundle_option,
    json_option,
    setting_options,
    store_option,
)
from edge_retrieve.edge_app.cli.query_options import query_from, query_options
from edge_retrieve.edge_app.outputs.cases import case_names
from edge_retrieve.edge_app.outputs.content import Content, acceptance_by, content_of
from edge_retrieve.edge_app.outputs.kinds import Output, OutputKind
from edge_retrieve.edge_app.outputs.origin import origin_of
from edge_retrieve.runtime.errors import OutputError, QueryError, reason_of
from edge_retrieve.runtime.hits import RetrievalResult

if TYPE_CHECKING:
    from edge_retrieve.edge_app.outputs.source import SourceImage


@click.command()
@click.argument("image", type=click.Path(path_type=Path, dir_okay=False))
@store_option
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to; made where there is none. Files of the same kinds are replaced.",
)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([kind.value for kind in OutputKind]),
    multiple=True,
    help="Write only this; may be repeated. All that the image allows if left out.",
)
@click.option("--accepted-by", metavar="NAME", help="Who answers for the result, as Family^Given.")
@click.option("--organization", metavar="NAME", help="Of the person who accepts it.")
@click.option(
    "--report",
    "report_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Text of a report that the person who accepts the result makes his own.",
)
@query_options
@bundle_option
@setting_options("abstain_below", *MODEL_SETTINGS, "site")
@json_option
def results(
    image: Path,
    store_path: Path,
    out: Path,
    kinds: tuple[str, ...],
    accepted_by: str | None,
    organization: str | None,
    report_path: Path | None,
    bundle_path: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Search with a DICOM image and write what was found for the PACS.

    A structured report, a presentation state with the outlines and a page as a secondary capture, all in the
    image's own study, and a FHIR bundle. They are preliminary and unverified unless a person accepts them.
    """
    with named_extras("dicom"):
        from edge_retrieve.edge_app.outputs.making import make_outputs
        from edge_retrieve.edge_app.outputs.source import read_source
    now = datetime.now()
    acceptance = acceptance_by(accepted_by, organization, now, _text(report_path))
    settings, asked = split_settings(options)
    question = query_from(image, **asked)
    source: SourceImage = read_source(image)  # before the model is loaded: it may lack what is needed
    with open_workspace(store_path, bundle_path, settings) as workspace:
        result = workspace.retriever.query(question)
        origin, own = origin_of(workspace), workspace.site
    content = content_of(
        result,
        origin,
        names=case_names(own.key, make=own.may_make_key()),
        drawn=question.boxes,
        made=now,
        acceptance=acceptance,
    )
    with audited(own, Action.EXPORT, studies=[hit.study for hit in result.hits], detail="results"):
        outputs = make_outputs(source, content, [OutputKind(kind) for kind in kinds])
        paths = _write(outputs, out)
    if as_json:
        print_json(_document(outputs, paths, content, result))
        return
    console = answers()
    console.print(f"{content.outcome}. {content.status}.")
    for output, path in zip(outputs, paths, strict=True):
        console.print(f"{path}  {output.kind.words}")


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(
            f"the report cannot be read ({reason_of(error)})",
            where=str(path),
            remedy="Save it as plain text in UTF-8",
        ) from error


def _write(outputs: tuple[Output, ...], folder: Path) -> list[Path]:
    paths = [folder / output.file_name for output in outputs]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for output, path in zip(outputs, paths, strict=True):
            path.write_bytes(output.data)
    except OSError as error:
        raise OutputError(
            f"the results cannot be written ({reason_of(error)})",
            where=str(folder),
            remedy="Name a folder that can be written to",
        ) from error
    return paths


def _document(
    outputs: tuple[Output, ...], paths: list[Path], content: Content, result: RetrievalResult
) -> dict[str, Any]:
    named = {} if result.abstained else {case.rank: case.case for case in content.cases}
    return {
        "files": [
            {
                "kind": output.kind.value,
                "path": str(path),
                "sop_class": output.sop_class,
                "sop_instance": output.sop_instance,
            }
            for output, path in zip(outputs, paths, strict=True)
        ],
        "study": outputs[0].study,
        "status": content.status,
        "outcome": content.outcome,
        # Nowhere else does a name stand beside its study; `edge-retrieve case` finds it again.
        "cases": [
            {"rank": rank, "case": named[rank], "study": hit.study}
            for rank, hit in enumerate(result.hits, result.offset + 1)
            if rank in named
        ],
    }
