import pytest

from edge_retrieve.edge_app.problems import NotFoundError
from edge_retrieve.edge_app.uploads import Uploads
from edge_retrieve.runtime.errors import UnreadableFileError


def read(path):
    return path.read_bytes()


def test_the_oldest_upload_goes_first_and_asking_keeps_one_young():
    uploads = Uploads(kept=2)
    first, second = uploads.add(b"1", "a.png", read), uploads.add(b"2", "b.png", read)
    assert uploads.get(first.id).content == b"1"
    third = uploads.add(b"3", "c.png", read)
    assert uploads.get(first.id).content == b"1"
    assert uploads.get(third.id).content == b"3"
    with pytest.raises(NotFoundError, match="no longer kept"):
        uploads.get(second.id)
    assert not second.path.exists()
    uploads.close()
    assert not first.path.exists()


def test_a_file_name_cannot_point_out_of_the_folder():
    uploads = Uploads(kept=2)
    for name in ("../../etc/passwd", "..\\..\\x.dcm", "/", ""):
        kept = uploads.add(b"x", name, read)
        assert kept.path.parent.name.startswith("edge-retrieve-")
        assert "/" not in kept.file_name
        assert "\\" not in kept.file_name
    assert kept.path.parent.stat().st_mode & 0o077 == 0
    uploads.close()


def test_what_cannot_be_read_is_not_kept():
    uploads = Uploads(kept=2)
    folder = uploads.add(b"x", "good.png", read).path.parent

    def refuse(path):
        raise UnreadableFileError("broken", where=str(path))

    with pytest.raises(UnreadableFileError):
        uploads.add(b"y", "bad.png", refuse)
    assert [path.read_bytes() for path in folder.iterdir()] == [b"x"]
    uploads.close()
