import json
import shutil
import threading

import numpy as np
import pytest

from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.store import Store, restore_backup, write_backup
from edge_retrieve.runtime.store import backup as backup_module

NODULE = "There is a nodule in the right upper lung zone."


@pytest.fixture
def filled(store, maker):
    store.add([maker.image(f"s{n}") for n in range(20)], [maker.report("s7", NODULE)])
    return store


def test_a_backup_comes_back_bit_for_bit(filled, toy, tmp_path):
    written = write_backup(filled.path, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["backup.json", "store.sqlite"]
    assert restore_backup(tmp_path / "copy", tmp_path / "again") == written
    with Store.open(tmp_path / "again", bundle=toy.bundle) as restored:
        assert restored.store_id == filled.store_id
        assert restored.studies() == filled.studies()
        assert restored.study("s7") == filled.study("s7")
        assert restored.preview("s3") == filled.preview("s3")
        for modality in Modality:
            ours, theirs = (held.vectors(modality, None) for held in (filled, restored))
            np.testing.assert_array_equal(ours.rows, theirs.rows)
        assert restored.count("nodule") == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_backup_is_one_moment_while_others_write(filled, maker, tmp_path, monkeypatch):
    """A page a step, a study between any two: the copy neither mixes moments nor starts again."""
    monkeypatch.setattr(backup_module, "_PAGES_PER_STEP", 1)
    added = []

    def write_between(done, total):
        study = f"later-{len(added)}"
        thread = threading.Thread(target=filled.add, args=([maker.image(study)], []))
        thread.start()
        thread.join()
        added.append((study, done, total))

    written = write_backup(filled.path, tmp_path / "copy", write_between)
    assert len(added) > 5
    assert len({total for _, _, total in added}) == 1
    assert [done for _, done, _ in added] == sorted({done for _, done, _ in added})
    assert written.studies == 20
    assert filled.count() == 20 + len(added)
    restore_backup(tmp_path / "copy", tmp_path / "again")
    with Store.open(tmp_path / "again") as restored:
        assert restored.count() == 20


@pytest.mark.parametrize("damage", ["flip", "truncate", "lost", "other"])
def test_a_damaged_backup_is_refused_and_leaves_nothing(filled, maker, tmp_path, damage):
    write_backup(filled.path, tmp_path / "copy")
    path = tmp_path / "copy" / "store.sqlite"
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "truncate":
        path.write_bytes(data[:-100])
    elif damage == "lost":
        path.unlink()
    else:
        filled.add([maker.image("later")], [])
        write_backup(filled.path, tmp_path / "newer")
        shutil.copy(tmp_path / "newer" / "store.sqlite", path)
    with pytest.raises(StoreError, match=r"the backup is damaged|cannot be read"):
        restore_backup(tmp_path / "copy", tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_damaged_store_makes_no_backup(filled, tmp_path):
    filled._db.execute("PRAGMA foreign_keys = OFF")
    filled._db.execute("DELETE FROM studies WHERE study = 's1'")
    with pytest.raises(StoreError, match="a row of images refers to nothing"):
        write_backup(filled.path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_nothing_is_overwritten(filled, tmp_path):
    write_backup(filled.path, tmp_path / "copy")
    for target in (tmp_path / "copy", filled.path):
        with pytest.raises(StoreError, match="something here already"):
            write_backup(filled.path, target)
    with pytest.raises(StoreError, match="something here already"):
        restore_backup(tmp_path / "copy", filled.path)


@pytest.mark.parametrize("content", [None, "{}", "no JSON", json.dumps({"sha256": 1})])
def test_another_folder_is_no_backup(tmp_path, content):
    (tmp_path / "other").mkdir()
    if content is not None:
        (tmp_path / "other" / "backup.json").write_text(content)
    with pytest.raises(StoreError, match="there is no backup here"):
        restore_backup(tmp_path / "other", tmp_path / "again")


def test_a_copy_in_the_stores_own_folder_is_refused(filled):
    for place in (filled.path / "copy", filled.path / "index" / ".." / "copies" / "copy"):
        with pytest.raises(StoreError, match="own folder"):
            write_backup(filled.path, place)
    assert not (filled.path / "copy").exists()
    assert not (filled.path / "copies").exists()


def test_a_backup_of_a_newer_version_is_refused(filled, tmp_path):
    write_backup(filled.path, tmp_path / "copy")
    path = tmp_path / "copy" / "backup.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 2}))
    with pytest.raises(StoreError, match="newer"):
        restore_backup(tmp_path / "copy", tmp_path / "again")
