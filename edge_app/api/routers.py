"""The list of the modules whose routes the application serves."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from starlette.routing import Route

from edge_retrieve.edge_app.api import (
    access,
    alterations,
    archive,
    audit,
    dicomweb,
    documentation,
    drafts,
    explain,
    feedback,
    ground,
    jobs,
    operations,
    page,
    pixels,
    quarantine,
    query,
    reads,
    results,
    sending,
    studies,
    uploads,
)

# To add a resource: write its module with a `router`, and name that here. A study's identifier may hold
# slashes where its archive uses accession numbers, so an address below a study
# (`/api/studies/{study:path}/x`) must come before the study itself, which takes all that is left:
# `studies.router` stays last.
ROUTERS: tuple[APIRouter, ...] = (
    page.router,
    documentation.router,
    access.router,
    audit.router,
    operations.router,
    archive.router,
    pixels.router,
    ground.router,
    uploads.router,
    query.router,
    explain.router,
    alterations.router,
    drafts.router,
    feedback.router,
    reads.router,
    results.router,
    sending.router,
    jobs.router,
    quarantine.router,
    dicomweb.router,
    studies.router,
)


def addresses() -> Iterator[tuple[str, str]]:
    """Yield method and path of every route, in the order in which the application looks at them."""
    yield "GET", "/openapi.json"
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, Route):
                for method in sorted(route.methods or ()):
                    yield method, route.path
