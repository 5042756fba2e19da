"""Files that an earlier ingest has dealt with: told without being opened, read again where that matters."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from edge_retrieve.runtime import ingest_loading
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.deid.key import SiteKey
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.ingest import Outcome
from edge_retrieve.runtime.ingest import ingest as run
from edge_retrieve.runtime.store import Store

NODULE = "There is a nodule in the right upper lung zone."
MASS = "Large mass in the left lower lung zone."
LONG_AGO = 1_700_000_000_123_456_789  # nanoseconds


@pytest.fixture(scope="module")
def encoder(toy):
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        yield encoder


def ingest(store, encoder, paths, **options):
    """Ingest; the index is not what is tested."""
    return run(store, encoder, paths, refresh_index=False, **options)


@pytest.fixture
def opened(monkeypatch):
    """Names of the image files that are opened."""
    names = []

    def load(path, **options):
        names.append(path.name)
        return original(path, **options)

    original = ingest_loading.load_radiograph
    monkeypatch.setattr(ingest_loading, "load_radiograph", load)
    return names


def age(path, by=0):
    """Make a file one that was written long ago."""
    os.utime(path, ns=(LONG_AGO + by, LONG_AGO + by))
    return path


@pytest.fixture
def folder(toy, tmp_path):
    folder = tmp_path / "in"
    for n in range(3):
        age(toy.save(folder / f"{n}.png", n, NODULE))
    return folder


def outcomes(summary):
    return {item.path.name: (item.outcome, item.reason) for item in summary.files}


def test_a_repeated_run_opens_no_file(encoder, store, folder, opened):
    assert ingest(store, encoder, [folder]).flagged == 3
    assert ingest(store, encoder, [folder]).unchanged == 3
    assert sorted(opened) == ["0.png", "1.png", "2.png"]
    # Its bytes are not looked at: of the same size and time, whatever it holds.
    path = folder / "1.png"
    path.write_bytes(bytes(path.stat().st_size))
    age(path)
    assert outcomes(ingest(store, encoder, [folder]))["1.png"] == (Outcome.UNCHANGED, "")
    assert len(opened) == 3


@pytest.mark.parametrize("change", ["time", "size"])
def test_a_file_that_changed_is_read(toy, encoder, store, folder, opened, change):
    ingest(store, encoder, [folder])
    path = folder / "1.png"
    if change == "time":
        toy.save(path, 77)
        age(path, by=1)
    else:
        path.write_bytes(path.read_bytes() + b"x")
        age(path)
    opened.clear()
    ingest(store, encoder, [folder])
    assert opened == ["1.png"]
    assert store.count() == (4 if change == "time" else 3)


def test_a_file_written_just_now_is_not_taken_for_settled(toy, encoder, store, tmp_path, opened):
    toy.save(tmp_path / "a.png", 1)
    ingest(store, encoder, [tmp_path / "a.png"])
    assert ingest(store, encoder, [tmp_path / "a.png"]).unchanged == 1
    assert opened == ["a.png", "a.png"]


def test_a_changed_report_beside_it_has_its_file_read(encoder, store, folder, opened):
    ingest(store, encoder, [folder])
    opened.clear()
    (folder / "2.txt").write_text(MASS)
    assert outcomes(ingest(store, encoder, [folder]))["2.png"] == (Outcome.ACCEPTED, "report updated")
    assert opened == ["2.png"]
    assert sum(Finding.MASS in line.findings for line in store.studies()) == 1
    assert ingest(store, encoder, [folder]).unchanged == 3
    assert opened == ["2.png"]


def test_a_changed_table_has_those_read_that_it_may_speak_of(toy, encoder, store, tmp_path, opened):
    age(toy.save(tmp_path / "in" / "named.png", 1))
    age(toy.save(tmp_path / "in" / "unnamed.png", 2))
    table = tmp_path / "cases.csv"
    table.write_text(f"file,report\nnamed.png,{NODULE}\n")
    ingest(store, encoder, [tmp_path / "in"], reports=table)
    opened.clear()
    assert ingest(store, encoder, [tmp_path / "in"], reports=table).unchanged == 2
    assert opened == []
    # Only reading the other file tells whether the new row is about its study.
    table.write_text(f"file,report,study\nnamed.png,{NODULE},\n,{MASS},1.2.3\n")
    assert ingest(store, encoder, [tmp_path / "in"], reports=table).unchanged == 2
    assert opened == ["unnamed.png"]
    assert ingest(store, encoder, [tmp_path / "in"]).unchanged == 2
    # Files are read ahead by several threads: the order of the two is theirs.
    assert (opened[0], sorted(opened[1:])) == ("unnamed.png", ["named.png", "unnamed.png"])


def test_a_report_that_another_path_changed_since_is_put_right_as_before(toy, encoder, store, folder):
    ingest(store, encoder, [folder])
    age(toy.save(folder.parent / "copy" / "0.png", 0, MASS))
    ingest(store, encoder, [folder.parent / "copy"])
    # The later run wins, as it does where every file is opened.
    assert outcomes(ingest(store, encoder, [folder]))["0.png"] == (Outcome.ACCEPTED, "report updated")
    assert sum(Finding.MASS in line.findings for line in store.studies()) == 0


def test_two_reports_for_one_study_do_not_take_turns(toy, encoder, store, tmp_path, opened):
    one, other = tmp_path / "a" / "x.png", tmp_path / "b" / "x.png"
    age(toy.save(one, 1, NODULE))
    age(toy.save(other, 1, MASS))
    ingest(store, encoder, [one, other])
    opened.clear()
    assert ingest(store, encoder, [one, other]).unchanged == 2
    assert opened == []
    # One of them is read: what the other said in an earlier run is said first all the same.
    age(other, by=1)
    (told,) = [item for item in ingest(store, encoder, [one, other]).files if item.path == other]
    assert told.reason == "another file gave its study a different report, which is kept"
    assert opened == ["x.png"]
    assert [Finding.NODULE in line.findings for line in store.studies()] == [True]


def test_a_rejected_file_keeps_its_reason_until_it_is_repaired(toy, encoder, store, tmp_path, opened):
    good = toy.save(tmp_path / "good.png", 1).read_bytes()
    path = tmp_path / "in" / "a.png"
    path.parent.mkdir()
    path.write_bytes(good[:100])
    age(path)
    first = outcomes(ingest(store, encoder, [path]))["a.png"]
    assert first[0] is Outcome.REJECTED
    assert outcomes(ingest(store, encoder, [path]))["a.png"] == first
    assert opened == ["a.png"]
    path.write_bytes(good)
    age(path)
    assert ingest(store, encoder, [path]).rejected == 0
    assert store.count() == 1


def test_what_a_later_version_may_read_is_read_by_it(monkeypatch, encoder, store, tmp_path, opened):
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    age(path)
    ingest(store, encoder, [path])
    monkeypatch.setattr("edge_retrieve.runtime.ingest_ledger._version", lambda: "99")
    assert ingest(store, encoder, [path]).rejected == 1
    assert opened == ["a.png", "a.png"]


def test_again_opens_all(encoder, store, folder, opened):
    ingest(store, encoder, [folder])
    assert ingest(store, encoder, [folder], again=True).unchanged == 3
    assert len(opened) == 6


def test_what_is_not_to_be_remembered_is_not(encoder, store, folder, opened):
    ingest(store, encoder, [folder], remember=False)
    assert ingest(store, encoder, [folder]).unchanged == 3
    assert len(opened) == 6


def test_another_bundle_has_all_read_once(toy, encoder, store, folder, opened):
    ingest(store, encoder, [folder])
    # The ledger goes by the bundle in force alone.
    store.bundle_id = "9" * 64
    other = replace(toy.bundle, bundle_id="9" * 64)
    with Encoder(other, Backend.CPU, threads=1) as another:
        assert ingest(store, another, [folder]).unchanged == 3
        assert ingest(store, another, [folder]).unchanged == 3
    assert len(opened) == 6


def test_what_cases_pass_counts_and_the_key_that_paths_are_digested_with(encoder, store, folder, opened):
    keys = [Deidentifier(SiteKey(bytes([n]) * 32)) for n in (1, 2)]
    for deidentifier in (None, *keys):
        ingest(store, encoder, [folder], deidentifier=deidentifier)
        count = len(opened)
        ingest(store, encoder, [folder], deidentifier=deidentifier)
        assert len(opened) == count
    assert count == 9


def test_no_path_is_in_the_store_of_pseudonyms(toy, encoder, store, tmp_path):
    for n in range(2):
        age(toy.save(tmp_path / "DOE^JOHN" / f"mrn-4711-{n}.png", n))
    bad = tmp_path / "DOE^JOHN" / "mrn-4711-bad.png"
    bad.write_bytes(b"no picture")
    age(bad)
    ingest(store, encoder, [tmp_path / "DOE^JOHN"], deidentifier=Deidentifier(SiteKey(b"k" * 32)))
    with closing(sqlite3.connect(store.path / "store.sqlite")) as db:
        notes = db.execute("SELECT count(*), count(DISTINCT path) FROM files").fetchone()
    assert notes == (3, 3)
    written = b"".join(path.read_bytes() for path in store.path.glob("store.sqlite*"))
    assert b"mrn-4711" not in written
    assert b"DOE^JOHN" not in written


def test_a_deleted_study_comes_in_again_on_purpose_only(encoder, store, folder, opened):
    ingest(store, encoder, [folder])
    gone = store.studies()[0]
    store.delete([gone.study])
    (told,) = [item for item in ingest(store, encoder, [folder]).files if item.reason]
    assert (told.outcome, store.count()) == (Outcome.UNCHANGED, 2)
    assert "its study was deleted" in told.reason
    assert "--again" in told.reason
    assert len(opened) == 3
    with closing(sqlite3.connect(store.path / "store.sqlite")) as db:
        (left,) = db.execute("SELECT * FROM files WHERE study IS NULL").fetchall()
    # A keyed digest, a size, a time, and that something was deleted: nothing of the study.
    assert left[3:10] == (b"", b"", "deleted", "", None, 0, None)
    assert ingest(store, encoder, [folder], again=True).flagged == 1
    assert store.count() == 3
    assert ingest(store, encoder, [folder]).unchanged == 3


def test_a_file_put_in_the_place_of_a_deleted_one_is_read(toy, encoder, store, folder):
    ingest(store, encoder, [folder])
    store.delete([line.study for line in store.studies()])
    age(toy.save(folder / "0.png", 50), by=5)
    assert ingest(store, encoder, [folder]).unchanged == 2
    assert store.count() == 1


def test_a_damaged_note_is_no_note_and_is_found(encoder, store, folder, opened):
    ingest(store, encoder, [folder])
    with closing(sqlite3.connect(store.path / "store.sqlite", isolation_level=None)) as db:
        db.execute("UPDATE files SET size = size, reason = 'x' WHERE path = (SELECT min(path) FROM files)")
    assert store.damage() == ("1 notes of files that were read do not match their checksums",)
    assert ingest(store, encoder, [folder]).unchanged == 3
    assert len(opened) == 4
    assert store.damage() == ()


def test_where_notes_cannot_be_written_what_is_known_is_told(encoder, store, folder, opened):
    ingest(store, encoder, [folder], remember=False)
    with Store.open(store.path, lock_timeout_s=0.01) as late:
        blocker = sqlite3.connect(store.path / "store.sqlite", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        assert ingest(late, encoder, [folder]).unchanged == 3
        blocker.close()
    assert len(opened) == 6


def test_a_store_of_the_version_before_gets_a_ledger(toy, encoder, store, folder, opened):
    ingest(store, encoder, [folder])
    store._db.execute("DROP TABLE files")
    store._db.execute("PRAGMA user_version = 4")
    store.close()
    with Store.open(store.path, bundle=toy.bundle) as later:
        for count in (6, 6):
            assert ingest(later, encoder, [folder]).unchanged == 3
            assert len(opened) == count
        assert later.damage() == ()
