"""The demonstration, on a few phantoms."""

import json
import re
import shlex
import shutil
import sys
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from click.testing import CliRunner

from edge_retrieve.edge_app import demo as work
from edge_retrieve.edge_app.cli import main
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import loading as bundles

STUDIES = 10


@pytest.fixture(scope="module")
def demo(toy, tmp_path_factory):
    """One demonstration made with the toy bundle in the place of the shipped one."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "DEMO_BUNDLE", toy.bundle.path)
        patch.setattr(work, "NEW_CASES", 6)
        arguments = ["demo", "--no-serve", "--studies", str(STUDIES), "--dir", str(folder)]
        yield folder, arguments, CliRunner().invoke(main, arguments)


def test_it_ends_with_a_question_that_can_be_asked_again(demo):
    _, _, result = demo
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("$ "))
    command = shlex.split(line.removeprefix("$ "))
    assert command[0] == "edge-retrieve"
    again = CliRunner().invoke(main, command[1:])
    assert again.exit_code == 0
    # The table that was printed is the table that the printed command prints.
    assert again.stdout.strip() in result.stdout
    for column in ("study", "score", "region", "finding", "sentence"):
        assert re.search(rf"\b{column}\b", again.stdout)


def test_the_question_is_about_a_patient_the_store_does_not_know(demo, toy):
    folder, _, result = demo
    where = work.DemoFolder(folder, STUDIES)
    with Workspace(where.store) as workspace:
        assert workspace.store.count() == STUDIES
        assert workspace.label.synthetic
        known = {summary.patient for summary in workspace.store.studies(limit=STUDIES)}
        example = work.choose_example(workspace.store, where.new_cases)
    assert example.image.parent.name not in known
    assert str(example.image) in result.stdout
    report = example.image.with_suffix(".txt").read_text()
    assert report


def test_a_second_run_uses_what_is_there(demo):
    folder, arguments, first = demo
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.dcm")}
    second = CliRunner().invoke(main, arguments)
    assert second.stdout == first.stdout
    assert "Rendering" not in second.stderr
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.dcm")} == before


def test_a_run_cut_short_is_finished_by_the_next(demo):
    folder, arguments, first = demo
    where = work.DemoFolder(folder, STUDIES)
    # As left behind by a kill while rendering and while ingesting.
    unfinished = where.new_cases.rename(where.new_cases.with_name(".new-cases.unfinished"))
    for path in where.store.glob("store.sqlite*"):
        path.unlink()
    second = CliRunner().invoke(main, arguments)
    assert second.exit_code == 0, second.output
    assert second.stdout == first.stdout
    assert not unfinished.exists()


def test_the_phantoms_are_held_out_ones(demo):
    folder, _, _ = demo
    lines = (work.DemoFolder(folder, STUDIES).archive / "truth.jsonl").read_text().splitlines()
    assert len(lines) == STUDIES
    assert {json.loads(line)["split"] for line in lines} == {"test"}


def test_it_serves_the_page_when_asked(demo, monkeypatch):
    """Serve on a free port, fetch the page, then end the server as Ctrl-C does."""
    _, arguments, _ = demo
    servers = []
    original = uvicorn.Server.__init__

    def remember(self, config):
        original(self, config)
        servers.append(self)

    monkeypatch.setattr(uvicorn.Server, "__init__", remember)
    outcome = {}

    def announce_and_fetch(text):
        address = re.search(r"http://\S+", text)
        if address:
            threading.Thread(target=fetch, args=(address.group(),)).start()

    def fetch(address):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            outcome["page"] = opener.open(address, timeout=20).read().decode()
            outcome["archive"] = json.load(opener.open(address + "api/archive", timeout=20))
        finally:
            servers[0].should_exit = True

    # By its full name: the command in the package's namespace hides the module of that name.
    monkeypatch.setattr(sys.modules["edge_retrieve.edge_app.cli.demo"], "say", announce_and_fetch)
    served = [argument for argument in arguments if argument != "--no-serve"]
    result = CliRunner().invoke(main, [*served, "--port", "0"])
    assert result.exit_code == 0, result.output
    assert "<title>edge-retrieve</title>" in outcome["page"]
    assert outcome["archive"]["synthetic"] is True


def test_a_folder_that_cannot_be_made(tmp_path, toy, monkeypatch):
    monkeypatch.setattr(bundles, "DEMO_BUNDLE", toy.bundle.path)
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    result = CliRunner().invoke(main, ["demo", "--no-serve", "--dir", str(blocked / "demo")])
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output
    assert str(Path(blocked)) in result.stderr


def test_a_folder_of_somebody_else_is_left_alone(demo, toy, monkeypatch, tmp_path):
    folder, _, _ = demo
    monkeypatch.setattr(bundles, "DEMO_BUNDLE", toy.bundle.path)
    where = work.DemoFolder(tmp_path, STUDIES)
    for part in ("archive", "new_cases"):
        getattr(where, part).symlink_to(getattr(work.DemoFolder(folder, STUDIES), part))
    where.store.mkdir()
    (where.store / "precious.txt").write_text("mine")
    result = CliRunner().invoke(
        main, ["demo", "--no-serve", "--studies", str(STUDIES), "--dir", str(tmp_path)]
    )
    assert result.exit_code == 2
    assert "left alone" in result.stderr
    assert (where.store / "precious.txt").read_text() == "mine"


def test_a_store_of_another_bundle_is_made_again(demo, toy, monkeypatch, tmp_path):
    """As after an update of the package."""
    folder, arguments, _ = demo
    other = tmp_path / "bundle"
    shutil.copytree(toy.bundle.path, other)
    manifest = replace(toy.bundle.manifest, model_id="toy 2")
    updated = bundles.write_bundle(other, manifest)
    monkeypatch.setattr(bundles, "DEMO_BUNDLE", other)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    with Workspace(work.DemoFolder(folder, STUDIES).store) as workspace:
        assert workspace.store.bundle_id == updated.bundle_id
        assert workspace.store.count() == STUDIES
