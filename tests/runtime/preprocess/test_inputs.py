"""Walking what a user names."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_retrieve.runtime.errors import UnreadableFileError
from edge_retrieve.runtime.preprocess import find_inputs


def test_files_and_folders_in_sorted_order(tmp_path) -> None:
    names = ["b/2.PNG", "b/1.jpeg", "a.dcm", "b/c/deep.jpg", "b/notes.txt", ".hidden/x.dcm", "b/.x.png"]
    for name in [*names, "DICOMDIR", "b/no_suffix", "b/other"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for name in ("b/no_suffix", "DICOMDIR"):
        (tmp_path / name).write_bytes(b"\0" * 128 + b"DICM")
    found = [path.relative_to(tmp_path).as_posix() for path in find_inputs([tmp_path])]
    assert found == ["a.dcm", "b/1.jpeg", "b/2.PNG", "b/c/deep.jpg", "b/no_suffix"]


def test_a_named_file_is_taken_whatever_it_is_called_and_once(tmp_path) -> None:
    notes = tmp_path / "notes.txt"
    image = tmp_path / "a.png"
    for path in (notes, image):
        path.write_bytes(b"x")
    assert list(find_inputs([notes, image, tmp_path, notes])) == [notes, image]


def test_a_loop_of_links_ends(tmp_path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"x")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert list(find_inputs([tmp_path])) == [tmp_path / "a" / "x.png"]


def test_what_does_not_exist_is_named_before_anything_is_yielded(tmp_path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(UnreadableFileError, match="gone"):
        next(find_inputs([tmp_path / "a.png", tmp_path / "gone"]))


def test_a_folder_below_that_cannot_be_listed_is_named_and_the_rest_goes_on(tmp_path, monkeypatch) -> None:
    # Permissions do not stop root, as whom tests may run.
    shut, listed = tmp_path / "b", Path.iterdir

    def iterdir(folder):
        if folder == shut:
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"x")
    monkeypatch.setattr(Path, "iterdir", iterdir)
    told = []
    found = list(find_inputs([tmp_path], lambda path, error: told.append((path, str(error)))))
    assert found == [tmp_path / "a" / "x.png", tmp_path / "c" / "x.png"]
    [(path, reason)] = told
    assert path == shut
    assert "Permission denied" in reason
    with pytest.raises(UnreadableFileError, match="cannot be listed"):
        list(find_inputs([tmp_path]))
    with pytest.raises(UnreadableFileError, match="cannot be listed"):
        list(find_inputs([shut], lambda path, error: told.append(path)))


def test_an_empty_folder_gives_nothing(tmp_path) -> None:
    assert list(find_inputs([tmp_path])) == []
