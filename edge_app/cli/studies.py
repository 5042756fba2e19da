"""``edge-retrieve studies``: the worklist of a store or a server."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.options import json_option, maybe_store_option, server_option, token_option
from edge_retrieve.edge_app.cli.remote import open_client, require_one
from edge_retrieve.edge_app.shapes import StudyPage
from edge_retrieve.edge_app.wire import iso_date, study_line
from edge_retrieve.runtime.filters import date_named
from edge_retrieve.runtime.store import Order, Store, Worklist


@click.command()
@maybe_store_option
@server_option
@token_option
@click.option(
    "--search",
    metavar="WORDS",
    default="",
    help="Only studies whose report, identifiers, date or findings hold every word.",
)
@click.option(
    "--patient", metavar="PART", default="", help="Only studies whose patient identifier has this part."
)
@click.option(
    "--accession", metavar="PART", default="", help="Only studies whose accession number has this part."
)
@click.option("--date-from", metavar="DATE", help="Only studies of this day or later, as in 2024-01-31.")
@click.option("--date-to", metavar="DATE", help="Only studies of this day or earlier.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="Studies wanted.")
@click.option("--offset", type=click.IntRange(0, 10_000_000), default=0, help="Studies to pass over first.")
@json_option
def studies(
    store_path: Path | None,
    server: str | None,
    token_file: Path | None,
    search: str,
    patient: str,
    accession: str,
    date_from: str | None,
    date_to: str | None,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """List the studies of a store, or of a server's, newest first."""
    require_one(store_path, server, token_file)
    first, last = (date_named(date) if date else "" for date in (date_from, date_to))
    if server is not None:
        with open_client(server, token_file) as client:
            page = client.studies(
                search=search,
                patient=patient,
                accession=accession,
                date_from=iso_date(first) or None,
                date_to=iso_date(last) or None,
                limit=limit,
                offset=offset,
            )
    else:
        assert store_path is not None  # as required above
        wanted = Worklist(search, patient, accession, first, last, Order.NEWEST)
        with Store.open(store_path) as store:
            found = store.studies(limit=limit, offset=offset, wanted=wanted)
            page = StudyPage(store.count(wanted=wanted), offset, [study_line(each) for each in found])
    if as_json:
        print_json(asdict(page))
    else:
        _print(page)


def _print(page: StudyPage) -> None:
    console = answers()
    table = Table(expand=False)
    for column in ("study", "patient", "accession", "date", "sex", "age", "view", "findings"):
        table.add_column(column, overflow="fold")
    for line in page.studies:
        age = "" if line.age is None else f"{line.age:.0f}"
        findings = ", ".join(line.findings) or ("-" if line.has_report else "no report")
        table.add_row(line.study, line.patient, line.accession, line.date, line.sex, age, line.view, findings)
    if page.studies:
        console.print(table)
    last = page.offset + len(page.studies)
    console.print(
        f"{len(page.studies)} of {page.total} studies."
        + (f" More: --offset {last}" if last < page.total else "")
    )
