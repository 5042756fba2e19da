"""A bundle is written whole or not at all, and what keeps it from being written is told."""

import shutil

import pytest

from edge_retrieve.export.folders import write_folder
from edge_retrieve.runtime.errors import ExportError


@pytest.fixture
def fill(toy):
    """Return a function that writes the toy's files, and the folder it was given."""

    def write(folder):
        for path in toy.bundle.path.iterdir():
            if path.name != "manifest.json":
                shutil.copyfile(path, folder / path.name)
        return toy.bundle.manifest

    return write


def test_a_bundle_is_written(toy, fill, tmp_path):
    assert write_folder(tmp_path / "new" / "bundle", fill).bundle_id == toy.bundle.bundle_id


def test_a_folder_that_cannot_be_is_told(fill, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ExportError, match=r"file/bundle: the bundle cannot be written \(.*Free some space"):
        write_folder(tmp_path / "file" / "bundle", fill)


def test_a_disk_that_becomes_full_leaves_nothing(fill, tmp_path, monkeypatch):
    def full(source, target, **_):
        target.mkdir()
        (target / "manifest.json").write_text("{")
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device")])

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(ExportError, match="is the disk full"):
        write_folder(tmp_path / "bundle", fill)
    assert not (tmp_path / "bundle").exists()
