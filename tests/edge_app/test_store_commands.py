import json
import shutil

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.runtime.store import Store
from edge_retrieve.runtime.store.privacy import Identities, PrivacyMark


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(main, [str(word) for word in arguments])


@pytest.fixture
def store_path(toy, tmp_path):
    """A store that the command line filled with five pictures and their reports."""
    for n in range(5):
        toy.save(tmp_path / "in" / f"case{n}.png", n, f"Quaint nodule {n} in the right upper lung zone.")
    path = tmp_path / "store"
    arguments = ["ingest", tmp_path / "in", "--store", path, "--bundle", toy.bundle.path, "--allow-unsigned"]
    # With them the store knows where its images came from, and reencode reads those again.
    arguments += ["--keep-identities"]
    result = CliRunner().invoke(main, [str(word) for word in arguments])
    assert result.exit_code == 0, result.output
    return path


def studies(path):
    with Store.open(path) as store:
        return [item.study for item in store.studies()], [item.patient for item in store.studies()]


def test_delete_asks_first(run, store_path):
    names, _ = studies(store_path)
    assert run("store", "delete", names[0], "--store", store_path).exit_code == 1
    assert studies(store_path)[0] == names


def test_delete_leaves_the_rest_and_says_what_went(run, store_path):
    names, patients = studies(store_path)
    told = run(
        "store", "delete", names[0], "--patient", patients[2], "--yes", "--store", store_path, "--json"
    )
    assert told.exit_code == 0, told.output
    gone = json.loads(told.stdout)["deleted"]
    assert {names[0], names[2]} <= set(gone)
    assert json.loads(told.stdout)["erased"] is True
    assert studies(store_path)[0] == [name for name in names if name not in gone]
    assert json.loads(run("store", "check", "--store", store_path, "--json").stdout)["sound"] is True


def test_what_is_left_for_later_is_counted_and_rebuilt(run, store_path):
    names, _ = studies(store_path)
    told = run("store", "delete", names[1], "--later", "--yes", "--store", store_path, "--json")
    assert (told.exit_code, json.loads(told.stdout)["erased"]) == (0, False)
    assert json.loads(run("store", "stats", "--store", store_path, "--json").stdout)["unerased"] == 1
    assert "store rebuild" in run("store", "check", "--store", store_path).stdout
    assert json.loads(run("store", "rebuild", "--store", store_path, "--json").stdout)["erased"] is True
    assert json.loads(run("store", "stats", "--store", store_path, "--json").stdout)["unerased"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "Name a STUDY or a --patient"),
        (("nobody", "--yes"), 1, "the store has no study 'nobody'"),
        (("--patient", "no one", "--yes"), 1, "no studies of patient 'no one'"),
    ],
)
def test_delete_of_nothing_is_told(run, store_path, arguments, code, told):
    result = run("store", "delete", *arguments, "--store", store_path)
    assert (result.exit_code, told in result.stderr) == (code, True), result.stderr


def test_deleted_but_not_erased_is_told_apart(run, store_path):
    """Where the index cannot be written, no query finds the study, and the message says what to do."""
    names, _ = studies(store_path)
    shutil.rmtree(store_path / "index")
    (store_path / "index").write_text("a file where the folder should be")
    result = run("store", "delete", names[0], "--yes", "--store", store_path)
    assert result.exit_code == 1
    assert "the studies are deleted, but traces are left" in result.stderr
    assert names[0] not in studies(store_path)[0]
    (store_path / "index").unlink()
    assert json.loads(run("store", "rebuild", "--store", store_path, "--json").stdout)["erased"] is True


def test_backup_and_restore(run, store_path, tmp_path):
    written = run("store", "backup", tmp_path / "copy", "--store", store_path, "--json")
    assert written.exit_code == 0, written.output
    restored = run("store", "restore", tmp_path / "copy", "--store", tmp_path / "again", "--json")
    assert restored.exit_code == 0, restored.output
    assert "pseudonyms" not in restored.stderr
    one, other = json.loads(written.stdout), json.loads(restored.stdout)
    assert {**one, "path": ""} == {**other, "path": ""}
    assert one["studies"] == 5
    assert studies(tmp_path / "again") == studies(store_path)
    assert json.loads(run("store", "check", "--store", tmp_path / "again", "--json").stdout)["sound"] is True
    refused = run("store", "restore", tmp_path / "copy", "--store", store_path)
    assert (refused.exit_code, "something here already" in refused.stderr) == (1, True)


def test_a_restored_store_of_pseudonyms_asks_for_its_key(run, store_path, tmp_path):
    with Store.open(store_path) as opened:
        opened.set_privacy(PrivacyMark(Identities.REPLACED, "0123456789abcdef"))
    assert run("store", "backup", tmp_path / "copy", "--store", store_path).exit_code == 0
    restored = run("store", "restore", tmp_path / "copy", "--store", tmp_path / "again")
    assert restored.exit_code == 0, restored.output
    assert f"bring it back, as {tmp_path / 'again' / 'site' / 'site.key'}" in restored.stderr


def test_check_tells_of_a_damaged_database(run, store_path):
    with Store.open(store_path) as store:
        store._db.execute("UPDATE reports SET text = 'Something else.' WHERE id = 1")
    result = run("store", "check", "--store", store_path)
    assert result.exit_code == 1
    assert "the index of words does not agree with the reports" in result.stdout


def test_reencode_for_another_bundle(run, store_path, toy):
    options = ["--store", store_path, "--bundle", toy.bundle.path, "--allow-unsigned", "--json"]
    with Store.open(store_path) as store:
        store._db.execute("UPDATE meta SET value = 'an earlier one' WHERE key = 'bundle_id'")
    first = run("store", "reencode", *options)
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert (told["images"], told["reports"], told["from_previews"]) == (5, 5, 0)
    assert told["bundle_id"] == toy.bundle.bundle_id
    assert json.loads(run("store", "reencode", *options).stdout)["images"] == 0
    assert run("store", "check", "--store", store_path).exit_code == 0
    missing = run("store", "reencode", "--store", store_path / "nowhere", *options[2:])
    assert (missing.exit_code, "there is no store here" in missing.stderr) == (1, True)
