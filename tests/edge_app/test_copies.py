"""A copy of an archive holds all that belongs to it."""

import sqlite3

import pytest

from edge_retrieve.edge_app.copies import copy_archive, restore_archive
from edge_retrieve.edge_app.feedback.database import FeedbackDatabase
from edge_retrieve.edge_app.labels import ArchiveLabel, read_label, write_label
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store import Store


@pytest.fixture
def archive_path(toy, tmp_path):
    path = tmp_path / "store"
    Store.open(path, bundle=toy.bundle, create=True).close()
    return path


def described(folder):
    with FeedbackDatabase(folder).reading() as db:
        return None if db is None else db.execute("SELECT * FROM queries").fetchall()


def test_label_and_feedback_come_along_and_the_sites_own_files_stay(archive_path, tmp_path):
    write_label(archive_path, ArchiveLabel("ward", synthetic=True))
    (archive_path / "site").mkdir()
    (archive_path / "site" / "site.key").write_text("secret")
    feedback = FeedbackDatabase(archive_path)
    with feedback.writing() as db:
        db.execute("INSERT INTO queries VALUES ('q1', 'a nodule')")
        # Another process copies while this one writes: what is not committed is not in the copy.
        db.execute("INSERT INTO queries VALUES ('q2', 'a mass')")
        with sqlite3.connect(archive_path / "feedback.sqlite", timeout=0.1) as other:
            assert other.execute("SELECT count(*) FROM queries").fetchone() == (0,)
        other.close()
    copy_archive(archive_path, tmp_path / "copy")
    restore_archive(tmp_path / "copy", tmp_path / "again")
    for folder in (tmp_path / "copy", tmp_path / "again"):
        assert read_label(folder) == ArchiveLabel("ward", synthetic=True)
        assert described(folder) == [("q1", "a nodule"), ("q2", "a mass")]
        assert (folder / "feedback.sqlite").stat().st_mode & 0o077 == 0
        assert not (folder / "site").exists()


def test_what_is_not_there_is_not_made(archive_path, tmp_path):
    copy_archive(archive_path, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["backup.json", "store.sqlite"]


def test_feedback_that_is_damaged_is_told(archive_path, tmp_path):
    (archive_path / "feedback.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="cannot be copied"):
        copy_archive(archive_path, tmp_path / "copy")
    # The copy of the store stands.
    restore_archive(tmp_path / "copy", tmp_path / "again")
