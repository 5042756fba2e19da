"""Asking a running server in place of a store."""

from __future__ import annotations

from pathlib import Path

import click

from edge_retrieve.edge_app.client import Client
from edge_retrieve.runtime.errors import ConfigError


def require_one(store_path: Path | None, server: str | None) -> None:
    """Raise `click.UsageError` unless either a store or a server is named."""
    if (store_path is None) == (server is None):
        raise click.UsageError("Give either --store or --server.")


def open_client(server: str, token_file: Path | None) -> Client:
    """Return a client of a server.

    Raises
    ------
    ConfigError
        Where the address is none, or the token cannot be read.
    """
    token = ""
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the token cannot be read ({getattr(error, 'strerror', None) or error})",
                where=str(token_file),
                remedy="Name a file that holds the token alone",
            ) from error
    return Client(server, token=token)
