import logging
import time

import pytest
from PIL import Image

from edge_retrieve.edge_app.dicom_node.drop_folder import DropFolder
from edge_retrieve.edge_app.dicom_node.node import DicomNode
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.runtime.errors import ConfigError


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "drop"
    made.mkdir()
    return made


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "dicom")


@pytest.fixture
def drop(folder, spool, monkeypatch):
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.drop_folder._SETTLED_S", 0.05)
    return DropFolder(folder, spool)


def settle():
    time.sleep(0.06)


def test_a_file_is_taken_once_it_has_settled_and_then_deleted(drop, folder, spool, make_image):
    data = make_image(1)
    (folder / "Doe^Jane.dcm").write_bytes(data)
    assert drop.take() == 0, "it may still be written"
    settle()
    assert drop.take() == 1
    (entry,) = spool.entries()
    assert entry.path.read_bytes() == data
    assert "Doe" not in entry.path.name
    assert list(folder.iterdir()) == []


def test_a_file_that_grows_is_waited_for(drop, folder, spool, make_image):
    data = make_image(1)
    for end in range(1000, len(data), 1500):
        (folder / "image.dcm").write_bytes(data[:end])
        assert drop.take() == 0
        settle()
    (folder / "image.dcm").write_bytes(data)
    drop.take()
    settle()
    assert drop.take() == 1
    assert spool.entries()[0].path.read_bytes() == data


def test_reports_come_along_and_other_files_stay(drop, folder, spool, toy, make_image):
    (folder / "deep" / "er").mkdir(parents=True)
    Image.fromarray(toy.picture(1)).save(folder / "deep" / "picture.PNG")
    (folder / "deep" / "picture.txt").write_text("The lungs are clear.\n")
    (folder / "deep" / "er" / "without_suffix").write_bytes(make_image(2))
    (folder / "notes.txt").write_text("not a report of an image")
    (folder / ".hidden.dcm").write_bytes(make_image(3))
    drop.take()
    settle()
    assert drop.take() == 2
    entries = {entry.path.suffix: entry for entry in spool.entries()}
    assert set(entries) == {".png", ".dcm"}
    assert entries[".png"].report.read_text() == "The lungs are clear."
    assert not entries[".dcm"].report.exists()
    left = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert left == [".hidden.dcm", "notes.txt"]


def test_what_cannot_be_written_stays_and_is_told_without_its_name(
    drop, folder, spool, make_image, monkeypatch, caplog
):
    def put(self, parts, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "put", put)
    (folder / "Doe^Jane.dcm").write_bytes(make_image(1))
    drop.take()
    settle()
    with caplog.at_level(logging.DEBUG):
        assert drop.take() == 0
    assert (folder / "Doe^Jane.dcm").exists()
    assert "No space left" in caplog.text
    assert "Doe" not in caplog.text


def test_a_file_too_large_stays(drop, folder, monkeypatch, make_image, caplog):
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.drop_folder.MAX_FILE_BYTES", 100)
    (folder / "large.dcm").write_bytes(make_image(1))
    for _ in range(3):
        assert drop.take() == 0
        settle()
    assert (folder / "large.dcm").exists()
    assert caplog.text.count("larger than") == 1, "said once"


def test_a_folder_that_is_not_there_or_the_nodes_own_is_named(tmp_path, spool):
    with pytest.raises(ConfigError, match="no such folder"):
        DropFolder(tmp_path / "nowhere", spool)
    with pytest.raises(ConfigError, match="own"):
        DropFolder(spool.quarantine, spool)


def test_a_node_watches_it(store, encoder, folder, make_image, wait_for, monkeypatch):
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.drop_folder._SETTLED_S", 0.05)
    (folder / "before.dcm").write_bytes(make_image(1))
    with DicomNode(Spool(store.path / "dicom"), store, encoder, drop_folder=folder) as node:
        wait_for(lambda: store.count() == 1)
        (folder / "meanwhile.dcm").write_bytes(make_image(2))
        wait_for(lambda: store.count() == 2)
        assert node.status.drop_folder == str(folder)
        assert node.status.scp is None
    assert list(folder.iterdir()) == []
