"""What the admin guide says to type is typed, on a small store; what only a real system has is left out."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.runtime.bundle import generate_keys, pack_bundle, read_signing_key, write_bundle
from edge_retrieve.runtime.store import SCHEMA_VERSION, Store, schema_version

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "admin-guide.md").read_text()
FIRST = ROOT / "tests" / "runtime" / "store" / "version_1.sql"
# Of the system, not of this program.
ELSEWHERE = {"systemctl", "ln", "tar", "cp"}
PASSWORD = "a long enough pass phrase\n"


def commands(section):
    """Return the commands of a section, without those of its subsections."""
    heading = re.search(rf"^##+ {re.escape(section)}\n", GUIDE, re.MULTILINE)
    text = GUIDE[heading.end() :].partition("\n##")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]


class Machine:
    """A machine whose folders lie elsewhere."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = self.path("/var/lib/edge-retrieve/store")

    def path(self, text: str) -> Path:
        return self.root / text.removeprefix("/")

    def type_all(self, section: str) -> list[str]:
        """Type a section's commands; return what those of ours answered."""
        answers = []
        for name, *words in commands(section):
            placed = [str(self.path(word)) if word.startswith("/") else word for word in words]
            if name == "mv":
                shutil.move(*placed)
            elif name != "edge-retrieve":
                assert name in ELSEWHERE, name
            else:
                answers.append(self.ours(*placed))
        assert answers
        return answers

    def ours(self, *words: str) -> str:
        arguments = [*words, "--port", "0"] if words[0] == "doctor" else words
        result = CliRunner().invoke(main, list(arguments), input=PASSWORD * 2)
        assert result.exit_code == 0, f"{words}: {result.output}"
        return result.stdout


@pytest.fixture
def machine(toy, tmp_path):
    """A machine with two signed bundles, the second of another model, and the key that signed them."""
    machine = Machine(tmp_path / "machine")
    keys = generate_keys(tmp_path / "keys", "site")
    key = read_signing_key(keys.private)
    shutil.copytree(toy.bundle.path, tmp_path / "other")
    write_bundle(tmp_path / "other", replace(toy.bundle.manifest, model_id="toy 2"))
    machine.path("/srv").mkdir(parents=True)
    pack_bundle(toy.bundle.path, machine.path("/srv/bundle.tar"), key)
    pack_bundle(tmp_path / "other", machine.path("/srv/new-bundle.tar"), key)
    machine.path("/etc/edge-retrieve/keys").mkdir(parents=True)
    shutil.copy2(keys.public, machine.path("/etc/edge-retrieve/keys"))
    for n in range(3):
        toy.save(
            machine.path("/archive") / f"case{n}.png", n, "There is a nodule in the right upper lung zone."
        )
    return machine


@pytest.fixture
def running(machine, monkeypatch, tmp_path):
    """One with a store, as the guide begins it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    machine.type_all("Begin")
    return machine


def test_a_service_is_begun_and_looked_at(running):
    assert (running.store / "site" / "site.key").is_file()
    (told,) = running.type_all("As a systemd service")
    unit = (running.path("/root/unit") / "edge-retrieve.service").read_text()
    assert f"serve --store {running.store} --bundle" in unit
    assert "systemctl enable --now edge-retrieve" in told
    (told,) = running.type_all("Is everything in order?")
    assert "log-in: everybody has to log in." in told
    assert told.rstrip().endswith("Ready.")


def test_backups(running):
    running.type_all("Backups")
    with Store.open(running.path("/var/lib/edge-retrieve/restored")) as store:
        assert store.count() == 3


def test_upgrade_and_going_back(running):
    shutil.rmtree(running.store / "index")
    for path in running.store.glob("store.sqlite*"):
        path.unlink()
    with contextlib.closing(sqlite3.connect(running.store / "store.sqlite")) as raw:
        raw.executescript(FIRST.read_text())
    upgraded, looked = running.type_all("Upgrade")
    assert f"2 studies brought from schema 1 to {SCHEMA_VERSION}" in upgraded
    assert looked.rstrip().endswith("Ready.")
    assert schema_version(running.path("/backup/before-0.2.0")) == 1
    (restored,) = running.type_all("Going back")
    assert "2 studies restored" in restored
    assert (running.store / "site" / "site.key").is_file()
    assert running.path("/var/lib/edge-retrieve/store-of-0.2.0/store.sqlite").is_file()


def test_another_bundle_and_back(running):
    before = json.loads(running.ours("store", "stats", "--store", str(running.store), "--json"))
    told = running.type_all("Another bundle")
    assert "the store is now of toy 2" in told[1]
    assert told[2].rstrip().endswith("Ready.")
    assert "the store is now of toy 1" in told[3]
    assert json.loads(running.ours("store", "stats", "--store", str(running.store), "--json")) == before


def test_every_check_is_in_the_table(running):
    table = GUIDE.partition("| check |")[2].partition("\n\n")[0]
    rows = set(re.findall(r"^\| ([\w -]+?) \|", table, re.MULTILINE)) - {"---"}
    ((_, *words),) = commands("Is everything in order?")
    placed = [str(running.path(word)) if word.startswith("/") else word for word in words]
    told = running.ours(*placed, "--json")
    names = {check["name"] for check in json.loads(told)["checks"]}
    assert names <= rows
    # These appear where there is such a thing.
    assert rows - names <= {"certificate", "port", "received", "PACS", "audit trail"}
