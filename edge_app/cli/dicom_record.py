"""What the commands that talk with a PACS leave in a site's audit trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.commands import audited
from edge_retrieve.edge_app.audit.events import Action
from edge_retrieve.edge_app.audit.references import as_archived
from edge_retrieve.edge_app.cli.options import setting_options
from edge_retrieve.runtime.store import schema_version

Command = TypeVar("Command", bound=Callable[..., Any])


def record_options(command: Command) -> Command:
    """Add the store whose trail is written to; `recorded` takes both."""
    return click.option(
        "--store",
        "store_path",
        metavar="D",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of a case store, whose audit trail then tells of it.",
    )(setting_options("site")(command))


@contextmanager
def recorded(store_path: Path | None, site: str, action: Action, detail: str) -> Iterator[list[str]]:
    """Write into the trail of a store's site what the block does with another system, and how it ended.

    Parameters
    ----------
    store_path : Path or None
        None to write nothing.
    site : str
        Folder of the site's own files; that of the store where empty.
    action : Action
    detail : str
        By which service, and with whom; names no patient.

    Yields
    ------
    list of str
        The block adds the Study Instance UIDs that it is about, as the hospital has them.

    Raises
    ------
    StoreError
        Where there is no store.
    """
    studies: list[str] = []
    if store_path is None:
        yield studies
        return
    schema_version(store_path)  # says so where there is none
    where = Site.of(store_path, site)
    subjects: list[str] = []
    with audited(where, action, studies=subjects, detail=detail):
        try:
            yield studies
        finally:
            subjects += [as_archived(where, study) for study in studies]
