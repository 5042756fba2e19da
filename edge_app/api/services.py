"""What the routes work with, made once for an application and handed to each handler."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar, cast

from anyio import to_thread
from fastapi import Depends, Request

from edge_retrieve.edge_app.pictures import Thumbnails
from edge_retrieve.edge_app.readiness import WarmUp
from edge_retrieve.edge_app.reading import ReadImage
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.uploads import Uploads
from edge_retrieve.edge_app.workspace import Workspace

Result = TypeVar("Result")


@dataclass(frozen=True)
class Services:
    """What one application's handlers share.

    Parameters
    ----------
    workspace : Workspace
        The store, the model and the retriever.
    settings : ServerSettings
    uploads : Uploads
    thumbnails : Thumbnails
    model_lock : Lock
        Held while the model works: the engines take one caller at a time; the store looks after itself.
    warm_up : WarmUp
    """

    workspace: Workspace
    settings: ServerSettings
    uploads: Uploads[ReadImage]
    thumbnails: Thumbnails
    model_lock: threading.Lock
    warm_up: WarmUp


async def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


Use = Annotated[Services, Depends(_services)]
"""The type of a handler's parameter that gets the services: ``def study(study: str, use: Use)``."""


async def in_thread(work: Callable[[], Result]) -> Result:
    """Run blocking work in a thread; for coroutines, as a handler written with plain ``def`` is in one."""
    return await to_thread.run_sync(work)
