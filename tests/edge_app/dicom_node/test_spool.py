import errno
import os
import stat
import subprocess
import sys

import pytest

from edge_retrieve.edge_app.dicom_node.quarantine import (
    Fault,
    count_quarantined,
    discard,
    quarantined,
    release,
    set_aside,
)
from edge_retrieve.edge_app.dicom_node.spool import Spool, SpoolEntry
from edge_retrieve.edge_app.dicom_node.status import spool_status
from edge_retrieve.runtime.errors import StoreError, UnknownStudyError


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "dicom")


def test_what_is_put_in_comes_out_oldest_first(spool):
    first = spool.put([b"one", b"two"])
    second = spool.put([b"three"], suffix=".png", report="Lungs clear.")
    assert spool.entries() == [first, second]
    assert first.path.read_bytes() == b"onetwo"
    assert second.path.suffix == ".png"
    assert second.report.read_text() == "Lungs clear."


def test_another_process_sees_it_and_its_folder_is_private(spool):
    entry = spool.put([b"one"])
    assert Spool(spool.folder).entries() == [entry]
    assert stat.S_IMODE(entry.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.incoming.stat().st_mode) == 0o700


def test_it_is_flushed_before_it_has_its_name(spool, monkeypatch):
    seen = []
    real = os.fsync

    def fsync(handle):
        # What a power cut would leave now: the file is flushed before its entry exists, the folder after.
        seen.append((os.path.isdir(f"/proc/self/fd/{handle}"), len(spool.entries())))  # noqa: PTH112
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    spool.put([b"one"])
    assert seen == [(False, 0), (True, 1)]


@pytest.mark.parametrize("report", ["", "Lungs clear."])
def test_a_full_disk_leaves_nothing_behind(spool, monkeypatch, report):
    def parts():
        yield b"one"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        spool.put(parts(), report=report)
    assert list(spool.incoming.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--dicom-folder"):
        Spool(tmp_path / "file" / "dicom")


def test_attempts_are_kept_on_disk(spool):
    begun = spool.begin(spool.put([b"one"], report="text"))
    assert begun.attempts == 1
    (found,) = Spool(spool.folder).entries()
    assert found == begun
    assert found.report.read_text() == "text"
    assert spool.put_back(begun).attempts == 0
    assert spool.entries()[0].attempts == 0


@pytest.mark.parametrize("name", ["x.dcm", ".123-ab.0.dcm.part", "123-ab.txt", "123-ab.x.dcm", "123.0.dcm"])
def test_other_files_are_no_entries(spool, name):
    (spool.incoming / name).write_text("")
    assert SpoolEntry.of(spool.incoming / name) is None
    assert spool.entries() == []


TRY_TO_WORK = """
import sys
from pathlib import Path
from edge_retrieve.edge_app.dicom_node.spool import Spool
with Spool(Path(sys.argv[1])).working() as mine:
    print(mine)
"""


def test_one_process_works_at_a_time(spool):
    def another():
        command = [sys.executable, "-c", TRY_TO_WORK, str(spool.folder)]
        return subprocess.check_output(command, text=True).strip()

    with spool.working() as mine:
        assert mine
        assert another() == "False"
    assert another() == "True"


def test_what_a_killed_writer_left_is_swept_once_it_is_old(spool):
    for name, age in ((".old.part", 7200), (".new.part", 0)):
        path = spool.incoming / name
        path.write_text("half")
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))
    with spool.working():
        assert [path.name for path in spool.incoming.iterdir()] == [".new.part"]


def test_quarantine_keeps_the_object_and_its_reason(spool):
    entry = spool.begin(spool.put([b"bad"], report="Lungs clear."))
    set_aside(spool, entry, Fault.UNUSABLE, f"{entry.path}: it is truncated", sender="MODALITY")
    (held,) = quarantined(spool)
    assert (held.id, held.fault, held.reason) == (entry.id, Fault.UNUSABLE, "it is truncated")
    assert (held.attempts, held.bytes, held.sender) == (1, 3, "MODALITY")
    assert held.arrived.endswith("+00:00")
    assert (spool.quarantine / f"{entry.id}.dcm").read_bytes() == b"bad"
    assert spool.entries() == []
    assert count_quarantined(spool) == 1


def test_what_is_released_is_tried_from_the_start(spool):
    entry = spool.begin(spool.put([b"bad"], report="Lungs clear."))
    set_aside(spool, entry, Fault.FAILED, "reason")
    release(spool, entry.id)
    (back,) = spool.entries()
    assert (back.id, back.attempts, back.path.read_bytes()) == (entry.id, 0, b"bad")
    assert back.report.read_text() == "Lungs clear."
    assert quarantined(spool) == ()
    assert spool.arrived.is_set()


def test_what_is_discarded_is_gone(spool):
    entry = spool.put([b"bad"], report="Lungs clear.")
    set_aside(spool, entry, Fault.REFUSED, "reason")
    discard(spool, entry.id)
    assert list(spool.quarantine.iterdir()) == []


@pytest.mark.parametrize("name", ["1-ab", "../incoming/1-ab", "*", ""])
def test_an_object_that_is_not_there_cannot_be_released(spool, name):
    spool.put([b"one"])
    with pytest.raises(UnknownStudyError, match="quarantine"):
        release(spool, name)
    with pytest.raises(UnknownStudyError, match="quarantine"):
        discard(spool, name)
    assert len(spool.entries()) == 1


def test_a_move_into_quarantine_that_was_cut_short_is_not_counted(spool):
    (spool.quarantine / "1-ab.json").write_text("{}")
    assert quarantined(spool) == ()
    (spool.quarantine / "1-ab.dcm").write_text("")
    assert [held.reason for held in quarantined(spool)] == ["its reason cannot be read"]


def test_status_counts_what_lies_there(spool):
    assert spool_status(spool).waiting == 0
    spool.put([b"one"])
    set_aside(spool, spool.put([b"two"]), Fault.UNUSABLE, "reason")
    (spool.reports / "1.2.txt").write_text("text")
    found = spool_status(spool)
    assert (found.waiting, found.quarantined, found.waiting_reports) == (1, 1, 1)
    assert 0 <= found.oldest_s < 60
    assert found.free_bytes > 0
