"""``edge-retrieve audit``: who did what, and whether the record of it was touched."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path

import click

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.commands import audited
from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.events import Action
from edge_retrieve.edge_app.audit.files import trail_files
from edge_retrieve.edge_app.audit.references import references_of
from edge_retrieve.edge_app.audit.verify import read_trail, verify_trail
from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.group import WORK_FAILED
from edge_retrieve.edge_app.cli.options import json_option, setting_options, store_option
from edge_retrieve.runtime.deid.pseudonyms import uid_pseudonym
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.filters import date_named

_HEAD = re.compile(r"\d+:[0-9a-f]{64}")


@click.group()
def audit() -> None:
    """Read the audit trail of a server."""


@audit.command()
@click.option(
    "--head",
    metavar="NUMBER:DIGEST",
    default="",
    help="A head that an earlier verify printed; the trail must still contain it.",
)
@store_option
@setting_options("site")
@json_option
def verify(head: str, store_path: Path, site: str, as_json: bool) -> None:
    """Check every line against the one before it; name the first that does not hold, and exit with 1."""
    if head and not _HEAD.fullmatch(head):
        raise ConfigError(
            f"'{head}' is no head of a trail",
            where="--head",
            remedy="Give what an earlier verify printed: a number, a colon and 64 digits",
        )
    folder = _folder(Site.of(store_path, site))
    verdict = verify_trail(folder, head)
    if as_json:
        print_json(
            {
                "intact": verdict.intact,
                "lines": verdict.lines,
                "head": verdict.head,
                "broken_at": verdict.broken_at,
                "reason": verdict.reason,
            }
        )
    elif verdict.intact:
        answers().print(f"{verdict.lines} lines, all intact. Head: {verdict.head}", soft_wrap=True)
    else:
        answers().print(
            f"{verdict.broken_at}: {verdict.reason}. {verdict.lines} lines before it are intact.",
            soft_wrap=True,
        )
    if not verdict.intact:
        sys.exit(WORK_FAILED)


@audit.command()
@click.option("--user", "who", metavar="NAME", default="", help="What this user did.")
@click.option(
    "--action", type=click.Choice([action.value for action in Action]), help="What was done in this way."
)
@click.option("--study", metavar="STUDY", default="", help="What was done with this study.")
@click.option("--since", metavar="DATE", default="", help="From this day on, YYYY-MM-DD, UTC.")
@click.option(
    "--last",
    metavar="N",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="At most so many lines.",
)
@store_option
@setting_options("site")
@json_option
def show(
    who: str,
    action: str | None,
    study: str,
    since: str,
    last: int,
    store_path: Path,
    site: str,
    as_json: bool,
) -> None:
    """Show what was done, oldest first. That this was looked at is written down, too."""
    day = f"{datetime.strptime(date_named(since), '%Y%m%d'):%Y-%m-%d}" if since else ""
    where = Site.of(store_path, site)
    folder = _folder(where)
    wanted = _references(where, study) if study else set()
    with audited(where, Action.READ_TRAIL, studies=[study] if study else []):
        found = [
            entry
            for entry in read_trail(folder)
            if (not who or entry.event.user.removeprefix("token of ") == who)
            and (action is None or entry.event.action.value == action)
            and (not study or wanted & set(entry.event.subjects))
            and entry.time >= day
        ][-last:]
    if as_json:
        print_json({"entries": [entry.fields() for entry in found]})
        return
    console = answers()
    for entry in found:
        event = entry.event
        parts = [entry.time, event.user, event.action.value, event.outcome.value]
        parts += [part for part in (event.address, event.detail, " ".join(event.subjects)) if part]
        console.print("  ".join(parts), soft_wrap=True)


def _folder(site: Site) -> Path:
    if not trail_files(site.audit):
        raise AuditError(
            "there is no audit trail here", where=str(site.audit), remedy="Name the store that was served"
        )
    return site.audit


def _references(site: Site, study: str) -> set[str]:
    """Return what stands for a study, given by its identifier in the store or by the one it came with."""
    references = references_of(site.key, make=False)
    known = {references.of(study)}
    if references.key is not None:
        known.add(references.of(uid_pseudonym(references.key, study)))
    return known
