"""Whether the server lives and is ready, and its figures."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.metrics import CONTENT_TYPE
from edge_retrieve.edge_app.readiness import Readiness, Stage
from edge_retrieve.edge_app.shapes import Alive, ReadyShape
from edge_retrieve.edge_app.wire import Json

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def health() -> Alive:
    """Return that the process lives."""
    return Alive("alive")


@router.get("/readyz", response_model=ReadyShape, responses={503: {"model": ReadyShape}})
def readiness(request: Request, use: Use) -> JSONResponse:
    """Return whether the store answers and the model has run once; the store's own one by now."""
    found: Readiness = request.app.state.following.readiness
    status: Json = {"status": found.stage.value, "engine": use.workspace.encoder.engine}
    if found.stage is not Stage.READY:
        return JSONResponse(
            {**status, **({"what": found.reason} if found.reason else {})},
            503,
            headers=None if found.stage is Stage.FAILED else {"retry-after": "1"},
        )
    return JSONResponse({**status, "studies": use.workspace.store.count()})


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(use: Use) -> Response:
    """Return the server's figures in Prometheus's text format."""
    return Response(use.metrics.text(), headers={"content-type": CONTENT_TYPE})
