"""``edge-retrieve user``: who may use a server."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

import click

from edge_retrieve.edge_app.access.accounts import Accounts
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.errors import AccountError
from edge_retrieve.edge_app.access.roles import Role
from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.access.tokens import Tokens
from edge_retrieve.edge_app.audit.commands import audited
from edge_retrieve.edge_app.audit.events import Action
from edge_retrieve.edge_app.cli.console import answers, print_json, say
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import json_option, setting_options, store_option
from edge_retrieve.runtime.errors import StoreError

_ROLES = click.Choice([role.value for role in Role])

_role_option = click.option(
    "--role", required=True, type=_ROLES, help="What the user may do: read; also operate; also administer."
)
_password_option = click.option(
    "--password-file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Read the password from the first line of a file (- for standard input) rather than asking for it.",
)
_site_option = setting_options("site")


@click.group()
def user() -> None:
    """Look after the users of a server. With the first one, everybody has to log in."""


@user.command()
@click.argument("name")
@_role_option
@click.option("--identities", is_flag=True, help="The user may see who the patients are.")
@_password_option
@store_option
@_site_option
def add(
    name: str, role: str, identities: bool, password_file: Path | None, store_path: Path, site: str
) -> None:
    """Make a user."""
    where = _site(store_path, site)
    with named_extras("app"), AccessDatabase(where.database) as database:
        if Accounts(database).find(name) is not None:
            raise AccountError("there is such a user already", where=f"user {name}")
        password = _password(password_file)
        with audited(where, Action.USERS, detail=f"add {name.lower()} as {role}", required=True):
            made = Accounts(database).add(name, password, Role(role), identities=identities)
    say(f"{made.name} may log in as {made.role.value}.")


@user.command("list")
@store_option
@_site_option
@json_option
def list_users(store_path: Path, site: str, as_json: bool) -> None:
    """Show users and their tokens."""
    with _database(_site(store_path, site)) as database:
        accounts, tokens = Accounts(database).all(), Tokens(database).all()
    if as_json:
        print_json(
            {
                "users": [
                    {
                        "name": account.name,
                        "role": account.role.value,
                        "identities": account.identities,
                        "created": _day(account.created),
                        "tokens": [
                            {
                                "id": token.id,
                                "role": token.role.value,
                                "identities": token.identities,
                                "expires": _day(token.expires),
                            }
                            for token in tokens
                            if token.user == account.name
                        ],
                    }
                    for account in accounts
                ]
            }
        )
        return
    console = answers()
    for account in accounts:
        sees = ", sees identities" if account.identities else ""
        console.print(f"{account.name}: {account.role.value}{sees}", soft_wrap=True)
        for token in tokens:
            if token.user == account.name:
                console.print(
                    f"  token {token.id}: {token.role.value}, until {_day(token.expires)}", soft_wrap=True
                )


@user.command()
@click.argument("name")
@click.option("--role", type=_ROLES, help="What the user may do from now on.")
@click.option("--identities/--no-identities", default=None, help="Whether the user may see who patients are.")
@store_option
@_site_option
def change(name: str, role: str | None, identities: bool | None, store_path: Path, site: str) -> None:
    """Change what a user may do; sessions and tokens of the user end."""
    if role is None and identities is None:
        raise click.UsageError("Name a --role, or --identities, or --no-identities.")
    where = _site(store_path, site)
    detail = f"change {name.lower()}: role {role or 'kept'}, identities {identities}"
    with _database(where) as database, audited(where, Action.USERS, detail=detail, required=True):
        changed = Accounts(database).change(name, role=Role(role) if role else None, identities=identities)
    say(f"{changed.name} is {changed.role.value} now, and has to log in again.")


@user.command()
@click.argument("name")
@_password_option
@store_option
@_site_option
def password(name: str, password_file: Path | None, store_path: Path, site: str) -> None:
    """Give a user another password; sessions of the user end."""
    where = _site(store_path, site)
    with named_extras("app"), _database(where) as database:
        Accounts(database).get(name)
        new = _password(password_file)
        with audited(where, Action.USERS, detail=f"password of {name.lower()}", required=True):
            Accounts(database).set_password(name, new)
    say(f"{name.lower()} has a new password.")


@user.command()
@click.argument("name")
@store_option
@_site_option
def remove(name: str, store_path: Path, site: str) -> None:
    """Remove a user, with all sessions and tokens."""
    where = _site(store_path, site)
    with (
        _database(where) as database,
        audited(where, Action.USERS, detail=f"remove {name.lower()}", required=True),
    ):
        Accounts(database).remove(name)
    say(f"{name.lower()} is removed.")


@user.command()
@click.argument("name")
@click.option("--role", required=True, type=_ROLES, help="What the token may do; no more than its user.")
@click.option("--identities", is_flag=True, help="Who bears the token may see who patients are.")
@click.option("--days", type=int, default=90, show_default=True, help="How long it is valid.")
@store_option
@_site_option
@json_option
def token(
    name: str, role: str, identities: bool, days: int, store_path: Path, site: str, as_json: bool
) -> None:
    """Make a token that a program logs in with; it is shown this once."""
    where = _site(store_path, site)
    detail = f"token of {name.lower()} as {role} for {days} days"
    with _database(where) as database, audited(where, Action.USERS, detail=detail, required=True):
        made, text = Tokens(database).make(name, Role(role), days, identities=identities)
    if as_json:
        print_json({"id": made.id, "token": text, "expires": _day(made.expires)})
        return
    click.echo(text)
    say(f"Valid until {_day(made.expires)}; send it as 'Authorization: Bearer TOKEN'.")


@user.command()
@click.argument("token_id", metavar="TOKEN_ID")
@store_option
@_site_option
def revoke(token_id: str, store_path: Path, site: str) -> None:
    """End a token."""
    where = _site(store_path, site)
    with (
        _database(where) as database,
        audited(where, Action.USERS, detail=f"revoke token {token_id[:32]}", required=True),
    ):
        Tokens(database).revoke(token_id)
    say("The token is no longer valid.")


def _site(store_path: Path, site: str) -> Site:
    if not site and not store_path.is_dir():
        raise StoreError(
            "there is no store here",
            where=str(store_path),
            remedy="'edge-retrieve ingest IMAGES --store' creates one",
        )
    return Site.of(store_path, site)


def _database(site: Site) -> AccessDatabase:
    """Open the file of users; where there is none, say so rather than make one."""
    if not site.database.exists():
        raise AccountError(
            "there are no users yet", where=str(site.path), remedy="Run: edge-retrieve user add"
        )
    return AccessDatabase(site.database)


def _password(file: Path | None) -> str:
    if file is None:
        chosen: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return chosen
    try:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8").split("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise AccountError("the password cannot be read", where=str(file), remedy="Check the file") from error
    return text.rstrip("\r\n")


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).date().isoformat()
