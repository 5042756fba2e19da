"""Whether the server lives and is ready."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse

from edge_retrieve.edge_app.api.services import Use
from edge_retrieve.edge_app.readiness import Stage
from edge_retrieve.edge_app.wire import Json

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def health() -> Json:
    """Return that the process lives."""
    return {"status": "alive"}


@router.get("/readyz")
def readiness(use: Use) -> JSONResponse:
    """Return whether the store answers and the model has run once."""
    found = use.warm_up.readiness
    status: Json = {"status": found.stage.value, "engine": use.workspace.encoder.engine}
    if found.stage is not Stage.READY:
        failed = found.stage is Stage.FAILED
        return JSONResponse(
            {**status, **({"what": found.reason} if failed else {})},
            503,
            headers=None if failed else {"retry-after": "1"},
        )
    return JSONResponse({**status, "studies": use.workspace.store.count()})
