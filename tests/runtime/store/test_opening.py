import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.store import Store, schema


def database(path):
    return path / "store.sqlite"


def test_a_missing_store_is_not_made_by_mistake(tmp_path, toy):
    with pytest.raises(StoreError, match="there is no store here"):
        Store.open(tmp_path / "nowhere", bundle=toy.bundle)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("content", [b"not a database" * 100, b"x"])
def test_another_file_is_no_store(tmp_path, toy, content):
    database(tmp_path).write_bytes(content)
    with pytest.raises(StoreError, match="not an edge-retrieve store"):
        Store.open(tmp_path, bundle=toy.bundle, create=True)
    assert database(tmp_path).read_bytes() == content


def test_another_programs_database_is_no_store(tmp_path, toy):
    with sqlite3.connect(database(tmp_path)) as other:
        other.execute("CREATE TABLE notes (text)")
    other.close()
    with pytest.raises(StoreError, match="not an edge-retrieve store"):
        Store.open(tmp_path, bundle=toy.bundle, create=True)


def test_creation_that_was_killed_is_made_good(tmp_path, toy):
    database(tmp_path).touch()
    with Store.open(tmp_path, bundle=toy.bundle, create=True) as store:
        assert store.count() == 0


def test_another_bundle_is_refused_by_name(store, toy):
    other = replace(toy.bundle, bundle_id="f" * 64)
    with pytest.raises(StoreError, match="embeddings come from another bundle") as caught:
        Store.open(store.path, bundle=other)
    assert "ffffffffffff" in str(caught.value)
    assert toy.bundle.bundle_id[:12] in str(caught.value)
    with Store.open(store.path) as unchecked:
        assert unchecked.bundle_id == toy.bundle.bundle_id


def test_a_newer_schema_is_refused(store, toy):
    store.close()
    with sqlite3.connect(database(store.path)) as raw:
        raw.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    raw.close()
    with pytest.raises(StoreError, match=r"Use the newer edge-retrieve"):
        Store.open(store.path, bundle=toy.bundle)


def test_an_older_schema_is_migrated_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 1)
    raw = sqlite3.connect(tmp_path / "old.sqlite", isolation_level=None)
    raw.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")

    def forward(db):
        db.execute("CREATE TABLE added (x)")

    def failing(db):
        forward(db)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        schema.bring_forward(raw, "old", {0: failing})
    assert schema.is_empty(raw)
    with pytest.raises(StoreError, match="no way to bring schema 0 forward"):
        schema.bring_forward(raw, "old", {})
    schema.bring_forward(raw, "old", {0: forward})
    assert raw.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA_VERSION,)
    raw.close()


def test_a_store_of_schema_1_is_brought_forward(tmp_path):
    raw = sqlite3.connect(database(tmp_path))
    raw.executescript((Path(__file__).parent / "version_1.sql").read_text())
    before = raw.execute("SELECT owner, vector FROM image_embeddings WHERE region = ''").fetchall()
    raw.close()
    with Store.open(tmp_path) as store:
        assert store.stats().schema_version == schema.SCHEMA_VERSION
        assert store.damage() == ()
        found = store.vectors(Modality.IMAGE, None)
        assert list(zip(found.owners.tolist(), (row.tobytes() for row in found.rows), strict=True)) == before
        assert [item.study for item in store.studies(search="mass")] == ["s1"]
        assert store.count("nodule") == 0  # in the report that was replaced
        store.delete(["s1"])
        assert store.count("mass") == 0
    with Store.open(tmp_path) as store:
        assert [item.study for item in store.studies()] == ["s2"]


def test_a_second_writer_waits_and_then_says_so(store, maker, toy):
    blocker = sqlite3.connect(database(store.path), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with (
        Store.open(store.path, bundle=toy.bundle, lock_timeout_s=0.05) as second,
        pytest.raises(StoreError, match="another process is writing"),
    ):
        second.add([maker.image("s1")], [])
    assert store.count() == 0  # reading goes on meanwhile
    blocker.execute("ROLLBACK")
    blocker.close()
    store.add([maker.image("s1")], [])
    assert store.count() == 1


def test_a_full_disk_loses_nothing_acknowledged(store, maker):
    store.add([maker.image("kept")], [])
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")

    def fill():
        for n in range(1000):
            store.add([maker.image(f"s{n}")], [])

    with pytest.raises(StoreError, match="the disk is full"):
        fill()
    store._db.execute("PRAGMA max_page_count = 1000000")
    count = store.count()
    assert count >= 1
    assert len(store.vectors(Modality.IMAGE, None).rows) == count
    store.add([maker.image("after")], [])
    assert store.count() == count + 1


def test_a_read_only_connection_says_so(store, maker):
    store._db.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="read-only"):
        store.add([maker.image("s1")], [])


@pytest.fixture
def read_only_media(monkeypatch):
    """Folders that cannot be written; the system is asked nothing, for root may write everywhere."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)


def test_a_store_on_read_only_media_can_be_read(store, maker, toy, read_only_media):
    store.add([maker.image("s1")], [])
    store.close()
    with Store.open(store.path, bundle=toy.bundle) as reader:
        assert reader.count() == 1
        assert len(reader.vectors(Modality.IMAGE, None).rows) == 1
        with pytest.raises(StoreError, match="read-only"):
            reader.add([maker.image("s2")], [])
    assert sorted(path.name for path in store.path.iterdir()) == ["store.sqlite"]


def test_a_store_copied_to_read_only_media_while_in_use_is_not_read_half(store, maker, toy, read_only_media):
    store.add([maker.image("s1")], [])
    with pytest.raises(StoreError, match="was not closed properly"):
        Store.open(store.path, bundle=toy.bundle)


def test_a_damaged_page_is_an_error_of_ours(store, maker, toy):
    store.add([maker.image(f"s{n}") for n in range(50)], [])
    store.close()
    data = bytearray(database(store.path).read_bytes())
    for page in range(1, len(data) // schema.PAGE_SIZE):
        data[page * schema.PAGE_SIZE : page * schema.PAGE_SIZE + 200] = b"\xff" * 200
    database(store.path).write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"damaged|not an edge-retrieve"):
        Store.open(store.path, bundle=toy.bundle)


def test_the_folder_is_for_its_owner_only(store):
    assert store.path.stat().st_mode & 0o077 == 0


def test_two_processes_write_in_turn(store, toy):
    script = f"""
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("maker", {str(Path(__file__).parents[1] / "conftest.py")!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from edge_retrieve.runtime.store import Store
maker = module.Maker()
with Store.open(Path({str(store.path)!r})) as store:
    for n in range(30):
        store.add([maker.image(f"{{sys.argv[1]}}-{{n}}"), maker.image(f"shared-{{n}}")], [])
"""
    runs = [subprocess.Popen([sys.executable, "-c", script, name]) for name in ("a", "b")]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert store.count() == 90
    assert len(store.vectors(Modality.IMAGE, None).rows) == 90
