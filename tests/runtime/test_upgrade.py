"""A store of the first version is brought forward, and back."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from edge_retrieve.runtime import upgrade as module
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store import (
    SCHEMA_VERSION,
    Store,
    restore_backup,
    schema_version,
    write_backup,
)
from edge_retrieve.runtime.upgrade import upgrade

FIRST = Path(__file__).parent / "store" / "version_1.sql"


def dump(folder):
    """Everything in a database, as SQL: what the version that wrote it would see."""
    with contextlib.closing(sqlite3.connect(folder / "store.sqlite")) as raw:
        (version,) = raw.execute("PRAGMA user_version").fetchone()
        (owner,) = raw.execute("PRAGMA application_id").fetchone()
        return version, owner, list(raw.iterdump())


@contextlib.contextmanager
def no_bar(description):
    yield lambda *_: None


@pytest.fixture
def old(tmp_path):
    """A store as the first version wrote it."""
    path = tmp_path / "store"
    path.mkdir()
    with contextlib.closing(sqlite3.connect(path / "store.sqlite")) as raw:
        raw.executescript(FIRST.read_text())
    return path


def test_forward_and_back(old, tmp_path):
    before = dump(old)
    done = upgrade(old, tmp_path / "before", no_bar)
    assert (done.before, done.after, done.studies) == (1, SCHEMA_VERSION, 2)
    with Store.open(old) as store:
        assert store.damage() == ()
        assert [item.study for item in store.studies(search="mass")] == ["s1"]
    # What the copy holds is what was there, to the last row: the earlier version reads it as its own.
    assert dump(tmp_path / "before") == before
    assert done.backup.bytes == (tmp_path / "before" / "store.sqlite").stat().st_size
    # This version restores it too, and brings it forward again.
    restore_backup(tmp_path / "before", tmp_path / "again")
    assert schema_version(tmp_path / "again") == SCHEMA_VERSION
    with Store.open(tmp_path / "again") as again, Store.open(old) as store:
        assert again.studies() == store.studies()
    assert dump(tmp_path / "before") == before


def test_a_store_of_this_version_is_left_alone(old, tmp_path):
    upgrade(old, tmp_path / "before", no_bar)
    written = (old / "store.sqlite").read_bytes()
    again = upgrade(old, tmp_path / "never", no_bar)
    assert (again.before, again.after, again.backup) == (SCHEMA_VERSION, SCHEMA_VERSION, None)
    assert not (tmp_path / "never").exists()
    assert (old / "store.sqlite").read_bytes() == written


def test_without_a_copy_nothing_is_changed(old, tmp_path):
    before = dump(old)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "something").touch()
    with pytest.raises(StoreError, match="something here already"):
        upgrade(old, tmp_path / "taken", no_bar)
    assert dump(old) == before


def test_a_damaged_store_is_not_brought_forward(old, tmp_path):
    with contextlib.closing(sqlite3.connect(old / "store.sqlite")) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("DELETE FROM studies WHERE study = 's1'")
        raw.commit()
    before = dump(old)
    with pytest.raises(StoreError, match="refers to nothing"):
        upgrade(old, tmp_path / "before", no_bar)
    assert dump(old) == before
    assert not (tmp_path / "before").exists()


def test_one_that_does_not_verify_afterwards_names_the_copy(old, tmp_path, monkeypatch):
    monkeypatch.setattr(Store, "damage", lambda self: ("page 7 is torn",))
    with pytest.raises(StoreError, match="page 7 is torn") as caught:
        upgrade(old, tmp_path / "before", no_bar)
    assert str(tmp_path / "before") in str(caught.value)


def test_a_newer_store_is_refused(old, tmp_path, monkeypatch):
    with contextlib.closing(sqlite3.connect(old / "store.sqlite")) as raw:
        raw.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match="Use the newer edge-retrieve"):
        module.upgrade(old, tmp_path / "before", no_bar)
    assert not (tmp_path / "before").exists()


def test_an_older_backup_that_was_altered_is_refused(old, tmp_path):
    write_backup(old, tmp_path / "copy")
    shutil.copytree(tmp_path / "copy", tmp_path / "altered")
    with contextlib.closing(sqlite3.connect(tmp_path / "altered" / "store.sqlite")) as raw:
        raw.execute("UPDATE studies SET patient = 'somebody else'")
        raw.commit()
    with pytest.raises(StoreError, match="checksum does not match"):
        restore_backup(tmp_path / "altered", tmp_path / "again")
    restore_backup(tmp_path / "copy", tmp_path / "again")
