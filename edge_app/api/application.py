"""The application: routes, what every request passes, and what starts and ends with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import to_thread
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from edge_retrieve.edge_app.access.guard import Guard
from edge_retrieve.edge_app.access.middleware import AccessControl
from edge_retrieve.edge_app.access.rules import DecisionTable
from edge_retrieve.edge_app.api.documentation import describe
from edge_retrieve.edge_app.api.parameters import known_parameters
from edge_retrieve.edge_app.api.routers import ROUTERS, addresses
from edge_retrieve.edge_app.api.services import Services
from edge_retrieve.edge_app.error_pages import ErrorPages
from edge_retrieve.edge_app.following import Following, Pinned
from edge_retrieve.edge_app.middleware import Headers, HostCheck, RootPath, SizeLimit, Timing
from edge_retrieve.edge_app.notice import Notice
from edge_retrieve.edge_app.pages import STATIC
from edge_retrieve.edge_app.privacy import holds_identities
from edge_retrieve.edge_app.problems import on_error
from edge_retrieve.edge_app.settings import ServerSettings
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
    services = Services.of(workspace, settings or ServerSettings())
    settings = services.settings
    following = Following(services)
    guard = Guard(
        workspace.site,
        settings,
        shows_identities=lambda: holds_identities(following.current.workspace.store),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.warm_up.start()
        following.start()
        yield
        await to_thread.run_sync(following.close)
        await to_thread.run_sync(guard.close)

    app = FastAPI(
        title="edge-retrieve",
        version=version("edge-retrieve"),
        # The framework's own documentation pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(Timing, metrics=services.metrics),
            Middleware(Headers),
            Middleware(HostCheck, settings=settings),
            Middleware(RootPath, root_path=settings.root_path),
            Middleware(ErrorPages, notice=lambda: Notice.of(following.current.workspace)),
            Middleware(AccessControl, guard=guard, table=DecisionTable(addresses())),
            Middleware(SizeLimit, limit_mib=settings.max_upload_mib),
            Middleware(Pinned, following=following),
        ],
        exception_handlers=dict.fromkeys(
            (EdgeRetrieveError, HTTPException, RequestValidationError, Exception), on_error
        ),
        lifespan=lifespan,
    )
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(known_parameters)])
    describe(app)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.state.services = services
    app.state.warm_up = services.warm_up
    app.state.following = following
    following.tell(lambda new: setattr(app.state, "services", new))
    return app
