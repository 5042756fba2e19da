"""``edge-retrieve case``: from the name of a case in a result to the study in the archive."""

from __future__ import annotations

from pathlib import Path

import click

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.commands import audited
from edge_retrieve.edge_app.audit.events import Action
from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.options import json_option, setting_options, store_option
from edge_retrieve.edge_app.outputs.cases import CaseNames
from edge_retrieve.runtime.deid.key import read_key
from edge_retrieve.runtime.errors import UnknownStudyError
from edge_retrieve.runtime.store import Store


@click.command()
@click.argument("name")
@store_option
@setting_options("site")
@json_option
def case(name: str, store_path: Path, site: str, as_json: bool) -> None:
    """Find the study of the archive that the name of a case in a result stands for."""
    own = Site.of(store_path, site)
    with Store.open(store_path) as store:
        found = CaseNames(read_key(own.key)).find(store, name)
    if not found:
        raise UnknownStudyError(
            f"no study of this archive is named '{name}'",
            where=str(store_path),
            remedy="It may have been deleted, or the result comes from another archive or with another key",
        )
    with audited(own, Action.VIEW, studies=found, detail="case"):
        if as_json:
            print_json({"case": name, "studies": found})
        else:
            for study in found:
                answers().print(study)
