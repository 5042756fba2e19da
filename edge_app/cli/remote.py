"""Asking a running server in place of a store."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from edge_retrieve.edge_app.client import Client
from edge_retrieve.runtime.errors import ConfigError, reason_of


def require_one(store_path: Path | None, server: str | None, token_file: Path | None) -> None:
    """Raise `click.UsageError` unless either a store or a server is named, a token with a server alone."""
    if (store_path is None) == (server is None):
        raise click.UsageError("Give either --store or --server.")
    if token_file is not None and server is None:
        raise click.UsageError("A token is for a server: give --token-file with --server.")


def refuse_options(*names: str) -> None:
    """Raise `click.UsageError` where an option is given that means nothing to a server.

    What a server answers with is its operator's choice; an option that is passed over would mislead.

    Parameters
    ----------
    names : str
        Of the parameters of the running command.
    """
    context = click.get_current_context()
    given = [name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        options = [each.opts[0] for each in context.command.params if each.name in given]
        raise click.UsageError(f"{', '.join(options)}: the server decides this, not who asks it.")


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
                f"the token cannot be read ({reason_of(error)})",
                where=str(token_file),
                remedy="Name a file that holds the token alone",
            ) from error
    return Client(server, token=token)
