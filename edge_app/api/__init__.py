"""The HTTP interface: one module of routes for each resource, put together by `create_app`."""

from edge_retrieve.edge_app.api.application import create_app

__all__ = ["create_app"]
