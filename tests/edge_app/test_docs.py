"""Every command, option, setting and address is documented, and nothing that does not exist."""

import re
from pathlib import Path

import click
import pytest

from edge_retrieve.edge_app.cli import main
from edge_retrieve.edge_app.settings import SETTINGS

DOCS = Path(__file__).parents[2] / "docs"


def commands(group=main, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def section(path):
    """The part of docs/commands.md about one command, with its heading."""
    text = (DOCS / "commands.md").read_text()
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    heading = f"## `edge-retrieve {' '.join(path)}"
    found = [part for part in parts if re.match(re.escape(heading) + r"[ `]", part)]
    assert len(found) == 1, f"docs/commands.md has {len(found)} sections '{heading}`'"
    return found[0]


@pytest.mark.parametrize(
    ("path", "command"),
    list(commands()),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_is_documented_with_exactly_its_options(path, command):
    text = section(path)
    options = {
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    documented = set(re.findall(r"^\| `(-[-\w]+)", text, flags=re.MULTILINE))
    assert documented == options
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            assert parameter.make_metavar(click.Context(command)) in text.splitlines()[0]


def test_no_section_is_about_a_command_that_does_not_exist():
    known = {" ".join(path) for path, _ in commands()}
    headings = re.findall(
        r"^## `edge-retrieve ([^`]+)`", (DOCS / "commands.md").read_text(), flags=re.MULTILINE
    )
    assert {re.sub(r" [\[A-Z].*", "", heading) for heading in headings} == known


@pytest.mark.parametrize(
    ("path", "command"),
    list(commands()),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_help_explains_every_option(path, command):
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts}"


def test_the_settings_table_is_the_one_of_the_code():
    rows = re.findall(
        r"^\| `(--[\w-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", (DOCS / "settings.md").read_text(), re.MULTILINE
    )
    words = {False: "no", "": "empty"}
    assert rows == [
        (setting.option, words.get(setting.default, f"`{setting.default}`"), setting.unit, setting.help)
        for setting in SETTINGS
    ]


def test_every_address_is_documented(workspace):
    from edge_retrieve.edge_app.api import create_app
    from edge_retrieve.edge_app.api.routers import addresses as all_addresses

    text = (DOCS / "http-api.md").read_text()
    described = create_app(workspace).openapi()["paths"]
    addresses = {f"{method.upper()} {path}" for path, item in described.items() for method in item}
    assert "POST /api/query" in addresses
    missing = sorted(address for address in addresses if f"`{address}`" not in text)
    assert not missing
    served = addresses | {f"{method} {path.replace(':path', '')}" for method, path in all_addresses()}
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    told = {each for row in rows for each in re.findall(r"`((?:GET|POST|DELETE) /[^`]*)`", row)}
    assert told <= served, "documented, and not there"
