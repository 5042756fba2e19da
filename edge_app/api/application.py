"""The application: routes, what every request passes, and what starts and ends with it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from edge_retrieve.edge_app.api.page import STATIC
from edge_retrieve.edge_app.api.routers import ROUTERS
from edge_retrieve.edge_app.api.services import Services, in_thread
from edge_retrieve.edge_app.middleware import Headers, HostCheck, RootPath, SizeLimit
from edge_retrieve.edge_app.pictures import Thumbnails
from edge_retrieve.edge_app.problems import on_error
from edge_retrieve.edge_app.readiness import WarmUp, run_once
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.uploads import Uploads
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.errors import EdgeRetrieveError

_ERRORS: tuple[type[Exception], ...] = (EdgeRetrieveError, HTTPException, RequestValidationError, Exception)


def create_app(workspace: Workspace, settings: ServerSettings | None = None) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    workspace : Workspace
        Open for as long as the application runs; the caller closes it.
    settings : ServerSettings, optional
        The defaults where None.
    """
    settings = settings or ServerSettings()
    model_lock = threading.Lock()
    services = Services(
        workspace=workspace,
        settings=settings,
        uploads=Uploads(settings.kept_uploads),
        thumbnails=Thumbnails(workspace.store),
        model_lock=model_lock,
        warm_up=WarmUp(lambda: run_once(workspace.encoder), model_lock),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.warm_up.start()
        yield
        # The caller frees the engines next.
        await in_thread(services.warm_up.wait)
        services.uploads.close()

    app = FastAPI(
        title="edge-retrieve",
        version=version("edge-retrieve"),
        # The framework's own documentation pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(Headers),
            Middleware(HostCheck, settings=settings),
            Middleware(RootPath, root_path=settings.root_path),
            Middleware(SizeLimit, limit_mib=settings.max_upload_mib),
        ],
        exception_handlers=dict.fromkeys(
            (EdgeRetrieveError, HTTPException, RequestValidationError, Exception), on_error
        ),
        lifespan=lifespan,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.state.services = services
    app.state.warm_up = services.warm_up
    return app
