"""What becomes of objects where the machine, the store or an object itself fails again and again."""

import logging
import shutil
from pathlib import Path

import pytest

from edge_retrieve.edge_app.dicom_node.quarantine import Fault, quarantined
from edge_retrieve.runtime.errors import BackendError, StoreError
from edge_retrieve.runtime.store import Store


def source_of(store):
    (summary,) = store.studies()
    return Path(store.study(summary.study).images[0].source)


@pytest.mark.parametrize("error", [StoreError("the disk is full"), BackendError("the engine failed")])
def test_failures_of_the_machine_are_tried_again(worker, spool, store, make_image, monkeypatch, error):
    real, calls = Store.add, []

    def add(self, images, reports, files=()):
        calls.append(len(images))
        if len(calls) < 4:
            raise error
        real(self, images, reports, files)

    monkeypatch.setattr(Store, "add", add)
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.worker._LONGEST_PAUSE_S", 0.0)
    for seed in range(3):
        spool.put([make_image(seed)])
    worker.drain()
    assert store.count() == 3
    assert quarantined(spool) == ()
    assert spool.entries() == []
    assert calls[0] == 3, "a batch at first"
    assert set(calls[1:]) == {1}, "one by one after it failed"
    assert worker.status.failing == ""


def test_while_it_fails_the_reason_is_told_without_identifiers(
    worker, spool, make_image, monkeypatch, caplog
):
    def add(self, images, reports, files=()):
        raise StoreError(f"there is no room for '{images[0].patient}'")

    monkeypatch.setattr(Store, "add", add)
    spool.put([make_image(1, patient="MARKED4711")])
    with caplog.at_level(logging.DEBUG):
        worker.drain()
    (entry,) = spool.entries()
    assert entry.attempts == 0, "it was not the object's fault"
    assert worker.status.failing == "StoreError: there is no room for ..."
    assert "no room" in caplog.text
    assert "MARKED4711" not in caplog.text


def test_an_object_that_alone_fails_again_and_again_goes_into_quarantine(
    worker, spool, store, make_image, monkeypatch
):
    real = Store.add

    def add(self, images, reports, files=()):
        if any(image.patient == "POISON" for image in images):
            raise RuntimeError("nobody foresaw this")
        real(self, images, reports, files)

    monkeypatch.setattr(Store, "add", add)
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.worker._LONGEST_PAUSE_S", 0.0)
    spool.put([make_image(1)])
    poison = spool.put([make_image(2, patient="POISON")])
    spool.put([make_image(3)])
    worker.drain()
    (held,) = quarantined(spool)
    assert (held.id, held.fault, held.reason) == (poison.id, Fault.FAILED, "RuntimeError")
    assert store.count() == 2


def test_where_nothing_can_be_stored_nothing_goes_into_quarantine(worker, spool, make_image, monkeypatch):
    calls = []

    def add(self, images, reports, files=()):
        calls.append(1)
        if len(calls) > 20:
            worker._spool.incoming.rename(worker._spool.folder / "away")  # ends the loop
        raise StoreError("the disk is full")

    monkeypatch.setattr(Store, "add", add)
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.worker._LONGEST_PAUSE_S", 0.0)
    spool.put([make_image(1)])
    with pytest.raises(FileNotFoundError):
        worker.drain()
    assert len(calls) > 20
    assert quarantined(spool) == ()


def test_an_object_that_ends_the_process_is_tried_alone_and_then_set_aside(worker, spool, store, make_image):
    """Its attempts are on disk: this is what a process finds that starts after the third crash."""
    suspect = spool.put([make_image(1)])
    for _ in range(2):
        suspect = spool.begin(suspect)
    spool.put([make_image(2)])
    assert [entry.id for entry in worker._due()] == [suspect.id]
    suspect = spool.begin(suspect)
    worker.drain()
    (held,) = quarantined(spool)
    assert (held.id, held.fault, held.attempts) == (suspect.id, Fault.FAILED, 3)
    assert "ended" in held.reason
    assert store.count() == 1


def test_after_a_crash_between_commit_and_clean_up_nothing_changes(
    make_worker, spool, store, make_image, tmp_path
):
    entry = spool.put([make_image(1)])
    copy = shutil.copy2(entry.path, tmp_path / "copy")
    make_worker().drain()
    # The commit stands; the object is still in the spool, its attempt counted.
    shutil.copy2(copy, entry.tried(1).path)
    again = make_worker()
    again.drain()
    assert store.count() == 1
    assert spool.entries() == []
    assert source_of(store).is_file()
    assert len([path for path in spool.objects.rglob("*") if path.is_file()]) == 1


def test_a_machine_that_fails_for_days_is_tried_again(worker, spool, store, make_image, monkeypatch):
    calls = []

    def add(self, images, reports, files=()):
        calls.append(1)
        if len(calls) < 1100:  # the pause doubles each time, up to its most
            raise StoreError("the disk is full")
        real(self, images, reports, files)

    real = Store.add
    monkeypatch.setattr(Store, "add", add)
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.worker._LONGEST_PAUSE_S", 0.0)
    spool.put([make_image(1)])
    worker.drain()
    assert store.count() == 1
