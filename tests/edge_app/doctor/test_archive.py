import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from edge_retrieve.edge_app.doctor.archive import archive
from edge_retrieve.edge_app.doctor.check import State
from edge_retrieve.runtime.store import SCHEMA_VERSION, Store, schema_version

OLD_SCHEMA = Path(__file__).parents[2] / "runtime" / "store" / "version_1.sql"


@pytest.fixture
def copy(store_path, tmp_path):
    """A copy of the small archive that may be damaged."""
    path = tmp_path / "store"
    shutil.copytree(store_path, path)
    path.chmod(0o700)
    return path


def states(checks):
    return {check.name: check.state for check in checks}


def test_a_sound_archive(copy, toy):
    # Taken first: where the copy was made of a store in use, SQLite removes side files when the look ends.
    size = sum(path.stat().st_size for path in copy.rglob("*") if path.is_file())
    written = (copy / "store.sqlite").stat().st_mtime
    checks, facts = archive(copy, toy.bundle)
    assert states(checks) == {"folder": State.OK, "store": State.OK, "index": State.OK}
    assert facts.studies == 6
    assert facts.bytes == size
    assert facts.last_write == written


def test_it_says_where_there_is_none(tmp_path, toy):
    ((check,), facts) = archive(tmp_path / "nowhere", toy.bundle)
    assert (check.name, check.state) == ("store", State.FAILED)
    assert "ingest" in check.remedy
    assert facts.studies == 0
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_others_may_read(copy, toy):
    copy.chmod(0o750)
    checks, _ = archive(copy, toy.bundle)
    assert states(checks)["folder"] is State.WARNING
    assert f"chmod 700 {copy}" in checks[0].remedy


def test_another_bundle_is_told_with_both_ways_out(copy, toy):
    checks, _ = archive(copy, replace(toy.bundle, bundle_id="f" * 64))
    (store,) = (check for check in checks if check.name == "store")
    assert store.state is State.FAILED
    assert "--bundle" in store.remedy
    assert "reencode" in store.remedy


def test_an_older_store_is_left_as_it_is(tmp_path, toy):
    raw = sqlite3.connect(tmp_path / "store.sqlite")
    raw.executescript(OLD_SCHEMA.read_text())
    raw.close()
    before = (tmp_path / "store.sqlite").read_bytes()
    checks, _ = archive(tmp_path, toy.bundle)
    (store,) = (check for check in checks if check.name == "store")
    assert store.state is State.WARNING
    assert f"schema 1; this version brings it to schema {SCHEMA_VERSION}" in store.what
    assert "store backup" in store.remedy
    assert f"store upgrade --store {tmp_path} --backup" in store.remedy
    assert (tmp_path / "store.sqlite").read_bytes() == before
    assert schema_version(tmp_path) == 1


def test_a_damaged_study_is_found(copy, toy):
    with Store.open(copy) as store:
        store._db.execute("UPDATE reports SET text = 'Something else.' WHERE id = 2")
    checks, _ = archive(copy, toy.bundle)
    (found,) = (check for check in checks if check.name == "store")
    assert found.state is State.FAILED
    assert found.details
    assert "restore" in found.remedy


def test_an_index_that_is_gone_is_no_failure(copy, toy):
    shutil.rmtree(copy / "index")
    checks, _ = archive(copy, toy.bundle)
    (index,) = (check for check in checks if check.name == "index")
    assert index.state is State.WARNING
    assert "store rebuild" in index.remedy


def test_a_truncated_index_file_is_found_by_its_size(copy, toy):
    rows = next(path for path in (copy / "index").glob("*.rows") if path.stat().st_size)
    rows.write_bytes(rows.read_bytes()[:-1])
    checks, _ = archive(copy, toy.bundle)
    assert states(checks)["index"] is State.WARNING


def test_traces_of_deleted_studies_are_told(copy, toy):
    with Store.open(copy) as store:
        store.delete([store.studies()[0].study])
    checks, _ = archive(copy, toy.bundle)
    (found,) = (check for check in checks if check.name == "store")
    assert "1 deleted studies have left traces" in found.what
