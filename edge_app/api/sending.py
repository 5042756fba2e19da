"""What a query found, sent to a PACS that the operator has configured."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Request

from edge_retrieve.edge_app.access.current import note_shown
from edge_retrieve.edge_app.access.middleware import Passage, passage_of
from edge_retrieve.edge_app.api.bodies import json_body
from edge_retrieve.edge_app.api.jobs import job_shape
from edge_retrieve.edge_app.api.results import RESULT_PROPERTIES, make_results, read_wanted
from edge_retrieve.edge_app.api.services import Services, Use
from edge_retrieve.edge_app.asking import LONGEST_NAME
from edge_retrieve.edge_app.audit.events import Action, Event, Outcome
from edge_retrieve.edge_app.audit.references import as_archived
from edge_retrieve.edge_app.dicom_node.peers import Peer
from edge_retrieve.edge_app.fields import check_names, choice, items, text
from edge_retrieve.edge_app.jobs import JobKind
from edge_retrieve.edge_app.jobs.runner import Work
from edge_retrieve.edge_app.outputs.kinds import OutputKind
from edge_retrieve.edge_app.shapes import JobShape
from edge_retrieve.edge_app.shapes.destinations import DestinationList, DestinationShape
from edge_retrieve.runtime.errors import MissingExtraError, QueryError

_KINDS = tuple(kind.value for kind in OutputKind if kind.is_dicom)
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        **RESULT_PROPERTIES,
        "to": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
        "kinds": {"type": "array", "items": {"type": "string", "enum": list(_KINDS)}},
    },
    "required": ["to", "query"],
    "additionalProperties": False,
}
_BODY = {"requestBody": {"content": {"application/json": {"schema": _SCHEMA}}, "required": True}}

router = APIRouter(tags=["results"])


@router.get("/api/destinations")
def destinations(use: Use) -> DestinationList:
    """Return the systems that results may be sent to."""
    return DestinationList(
        [DestinationShape(peer.called, peer.tls is not None) for peer in use.settings.destinations()]
    )


@router.post("/api/send", status_code=202, openapi_extra=_BODY)
async def send(request: Request, use: Use) -> JobShape:
    """Make what a query found and begin to send it; preliminary and unverified unless a person accepts it."""
    asked = check_names(await json_body(request), set(_SCHEMA["properties"]), "request body")
    peer = _destination(use, text(asked, "to", LONGEST_NAME) or "")
    kinds = tuple(choice(OutputKind, each, "kinds") for each in items(asked, "kinds"))
    if not all(kind.is_dicom for kind in kinds):
        raise QueryError(
            "a PACS takes DICOM objects alone", where="kinds", remedy=f"Choose of {', '.join(_KINDS)}"
        )
    wanted = read_wanted(request, use, asked)
    work = _work()
    passage = passage_of(request.scope)
    passage.about = f"to {peer.called}"
    # Made while the one who asks is known, and the upload is kept.
    made = await use.turns.run(lambda: make_results(use, wanted, kinds))
    outputs = [output for output in made if output.kind.is_dicom]
    study = as_archived(use.workspace.site, outputs[0].study)
    note_shown([study])
    return job_shape(use.jobs.begin(JobKind.SEND, work(peer, outputs, partial(_told, passage, study))))


def _destination(use: Services, name: str) -> Peer:
    known = use.settings.destinations(use.settings.ae_title)
    found = next((peer for peer in known if peer.called == name), None)
    if found is None:
        names = ", ".join(peer.called for peer in known)
        raise QueryError(
            f"results are not sent to '{name[:80]}' from here",
            where="to",
            remedy=f"Choose of {names}" if known else "Start the server with --pacs",
        )
    return found


def _work() -> Callable[..., Work]:
    """Return what sends; the libraries of the extra are loaded where they are needed."""
    try:
        from edge_retrieve.edge_app.jobs.sending import send_results
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"this server sends nothing: the package '{error.name}' is not installed",
            remedy='Run: pip install "edge-retrieve[dicom]", and start it again',
        ) from error
    return send_results


def _told(passage: Passage, study: str, outcome: Outcome, detail: str) -> None:
    """Have the audit trail tell of the sending itself; who asked for it is told as of every request."""
    guard, principal = passage.guard, passage.principal
    guard.record(
        Event(
            principal.audited_as if principal is not None else "nobody",
            Action.EXPORT,
            outcome,
            passage.address,
            (guard.references.of(study),),
            detail,
        )
    )
