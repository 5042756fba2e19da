"""The list of the modules whose routes the application serves."""

from __future__ import annotations

from fastapi import APIRouter

from edge_retrieve.edge_app.api import archive, operations, page, pixels, query, studies, uploads

# To add a resource: write its module with a `router`, and name that here. A study's identifier may hold
# slashes where its archive uses accession numbers, so an address below a study
# (`/api/studies/{study:path}/x`) must come before the study itself, which takes all that is left:
# `studies.router` stays last.
ROUTERS: tuple[APIRouter, ...] = (
    page.router,
    operations.router,
    archive.router,
    pixels.router,
    uploads.router,
    query.router,
    studies.router,
)
