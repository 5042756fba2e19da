"""A bundle as one tar: the same bytes every time, and nothing but a whole bundle gets out of it."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tracemalloc

import pytest

from edge_retrieve.runtime.bundle import (
    Trust,
    inspect_bundle,
    load_bundle,
    pack_bundle,
    sign_bundle,
    verify,
    write_bundle,
)
from edge_retrieve.runtime.bundle.archive import default_cache
from edge_retrieve.runtime.errors import BundleError

UNSIGNED = Trust(allow_unsigned=True)


@pytest.fixture
def archive(toy, tmp_path):
    pack_bundle(toy.bundle.path, tmp_path / "toy.tar")
    return tmp_path / "toy.tar"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def rebuild(archive, change, form=tarfile.USTAR_FORMAT):
    """Write an archive again with `change(tar)` after its members, by the standard library."""
    with tarfile.open(archive) as old:
        members = [(member, old.extractfile(member).read()) for member in old.getmembers()]
    with tarfile.open(archive, "w", format=form) as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
        change(tar)


def entry(name, kind=tarfile.REGTYPE, size=0, link=""):
    found = tarfile.TarInfo(name)
    found.type, found.size, found.linkname = kind, size, link
    return found


def refused(archive, cache, message, trust=UNSIGNED):
    with pytest.raises(BundleError, match=message):
        load_bundle(archive, trust, cache=cache)
    left = list(cache.iterdir()) if cache.exists() else []
    assert not left, f"something was left behind: {left}"


def test_the_same_bundle_gives_the_same_bytes(toy, archive, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("manifest.json", *sorted(toy.bundle.manifest.files, reverse=True)):
        (copy / name).write_bytes((toy.bundle.path / name).read_bytes())
        (copy / name).chmod(0o600)
        os.utime(copy / name, (1, 1))
    pack_bundle(copy, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()


def test_other_tools_read_it(toy, archive, tmp_path):
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        assert [member.name for member in members] == ["manifest.json", *sorted(toy.bundle.manifest.files)]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
            (0, 0, 0, "", "", 0o644)
        }
        for member in members:
            assert tar.extractfile(member).read() == (toy.bundle.path / member.name).read_bytes()
    if shutil.which("tar"):
        (tmp_path / "out").mkdir()
        subprocess.check_call(["tar", "-xf", archive, "-C", tmp_path / "out"])
        assert load_bundle(tmp_path / "out", UNSIGNED).bundle_id == toy.bundle.bundle_id


def test_an_archive_loads_as_its_folder_does(toy, archive, cache):
    loaded = load_bundle(archive, UNSIGNED, cache=cache)
    assert (loaded.manifest, loaded.bundle_id) == (toy.bundle.manifest, toy.bundle.bundle_id)
    assert loaded.path == cache / hashlib.sha256(archive.read_bytes()).hexdigest()
    assert loaded.path.stat().st_mode & 0o077 == cache.stat().st_mode & 0o077 == 0
    for name in toy.bundle.manifest.files:
        assert loaded.file(name).read_bytes() == toy.bundle.file(name).read_bytes()


def test_an_archive_is_unpacked_once_and_checked_every_time(archive, cache):
    path = load_bundle(archive, UNSIGNED, cache=cache).path
    stamp = (path / "tokenizer.json").stat().st_ino
    assert load_bundle(archive, UNSIGNED, cache=cache).path == path
    assert (path / "tokenizer.json").stat().st_ino == stamp
    (path / "tokenizer.json").write_text("{}")
    assert load_bundle(archive, UNSIGNED, cache=cache).path == path
    assert (path / "tokenizer.json").read_text() != "{}"


def test_packing_with_a_key_signs_the_archive_alone(folder, tmp_path, cache, key):
    before = (folder / "manifest.json").read_bytes()
    pack_bundle(folder, tmp_path / "signed.tar", key)
    assert (folder / "manifest.json").read_bytes() == before
    trust = Trust((key.trusted,))
    assert load_bundle(tmp_path / "signed.tar", trust, cache=cache).signed_by == "st-anna"
    sign_bundle(folder, key)
    pack_bundle(folder, tmp_path / "kept.tar")
    assert (tmp_path / "kept.tar").read_bytes() == (tmp_path / "signed.tar").read_bytes()


def test_nothing_is_written_before_the_signature_counts(archive, cache, key):
    refused(archive, cache, "the bundle is not signed", Trust((key.trusted,)))
    assert not cache.exists()


def test_one_flipped_bit_is_refused(archive, cache):
    with tarfile.open(archive) as tar:
        member = tar.getmember("text_encoder.onnx")
    data = bytearray(archive.read_bytes())
    data[member.offset_data + member.size // 2] ^= 1
    archive.write_bytes(data)
    refused(archive, cache, r"toy\.tar/text_encoder\.onnx: the file's SHA-256")


def test_a_damaged_header_is_refused(archive, cache):
    data = bytearray(archive.read_bytes())
    data[3] ^= 1
    archive.write_bytes(data)
    refused(archive, cache, "a header of the archive is damaged")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_archive_is_refused(archive, cache, share):
    with archive.open("r+b") as stream:
        stream.truncate(int(archive.stat().st_size * share) // 512 * 512)
    # The zeros at the end of the last record are filling; of those that end an archive, none are left.
    archive.write_bytes(archive.read_bytes().rstrip(b"\0"))
    refused(archive, cache, "cut short|ends inside")


def test_something_after_the_end_is_refused(archive, cache):
    with archive.open("ab") as stream:
        stream.write(b"payload")
    refused(archive, cache, "something follows the archive's end")


@pytest.mark.parametrize("name", ["../outside", "/etc/cron.d/x", "a/../../b", "./x", "a//b", "a\\b"])
def test_a_name_that_leads_outside_is_refused(archive, cache, name):
    rebuild(archive, lambda tar: tar.addfile(entry(name)))
    refused(archive, cache, "points out of the bundle")


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.DIRTYPE, "a folder entry"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (b"7", "an entry of type b'7'"),
    ],
)
def test_anything_but_a_plain_file_is_refused(archive, cache, kind, what):
    rebuild(archive, lambda tar: tar.addfile(entry("sub/x", kind, link="/etc/passwd")))
    refused(archive, cache, f"'sub/x/?' is {what}, a bundle holds plain files only")


def test_extended_headers_are_refused_unread(archive, cache):
    rebuild(archive, lambda tar: tar.addfile(entry("ü" * 120)), tarfile.PAX_FORMAT)
    refused(archive, cache, "is an extended header")


def test_other_dialects_and_compression_are_refused_with_what_to_do(archive, cache, toy):
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(toy.bundle.path, arcname=".")
    refused(archive, cache, "not a plain tar archive.*bundle pack")
    archive.write_bytes(b"this is a text, and no archive. " * 40)
    refused(archive, cache, "not a plain tar archive")
    archive.write_bytes(b"")
    refused(archive, cache, "cut short")


def test_extra_missing_and_doubled_members_are_refused(archive, cache, tmp_path):
    spare = shutil.copy(archive, tmp_path / "spare.tar")
    rebuild(archive, lambda tar: tar.addfile(entry("extra.bin")))
    refused(archive, cache, r"extra\.bin: the manifest does not list this file")
    shutil.copy(spare, archive)
    rebuild(archive, lambda tar: tar.addfile(entry("tokenizer.json")))
    refused(archive, cache, r"'tokenizer\.json' is in the archive twice")
    with tarfile.open(spare) as old, tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        member = old.getmember("manifest.json")
        tar.addfile(member, old.extractfile(member))
    refused(archive, cache, r"image_encoder\.onnx: the file is missing")
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(entry("image_encoder.onnx"))
    refused(archive, cache, r"the archive holds no manifest\.json")


def test_a_declared_bomb_is_refused_before_it_is_read(archive, cache, monkeypatch):
    monkeypatch.setattr(verify, "MAX_BYTES", 1 << 30)
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.fileobj.write(entry("huge", size=5 << 30).tobuf(tarfile.USTAR_FORMAT))
    refused(archive, cache, "a bundle holds at most 1 GiB")


def test_a_size_beyond_the_file_is_refused(archive, cache):
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.fileobj.write(entry("large", size=1 << 30).tobuf(tarfile.USTAR_FORMAT))
    refused(archive, cache, "the archive ends inside 'large'")


def test_too_many_files_are_refused(archive, cache, folder):
    def add(tar):
        for n in range(verify.MAX_FILES):
            tar.addfile(entry(f"{n}"))

    rebuild(archive, add)
    refused(archive, cache, "a bundle holds at most 512 files")


def test_files_in_folders_are_packed_and_unpacked(archive, cache, folder, tmp_path):
    (folder / "a").mkdir()
    (folder / "a" / "b").write_bytes(b"x")
    write_bundle(folder, load_bundle(archive, UNSIGNED, cache=tmp_path / "other").manifest)
    assert "a/b" in inspect_bundle(folder).manifest.files
    pack_bundle(folder, tmp_path / "deep.tar")
    assert load_bundle(tmp_path / "deep.tar", UNSIGNED, cache=cache).file("a/b").read_bytes() == b"x"


def test_a_cache_that_others_may_write_to_is_refused(archive, cache):
    cache.mkdir()
    cache.chmod(0o777)
    refused(archive, cache, "others may write to this folder")


def test_the_cache_lies_where_the_desktop_keeps_such_things(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "edge-retrieve" / "bundles"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "edge-retrieve" / "bundles"


def test_an_archive_is_not_written_over_a_file_or_into_its_bundle(folder, tmp_path):
    (tmp_path / "there.tar").write_bytes(b"precious")
    with pytest.raises(BundleError, match="the file exists"):
        pack_bundle(folder, tmp_path / "there.tar")
    assert (tmp_path / "there.tar").read_bytes() == b"precious"
    with pytest.raises(BundleError, match="become part of the bundle"):
        pack_bundle(folder, folder / "x.tar")
    with pytest.raises(BundleError, match="cannot be written"):
        pack_bundle(folder, tmp_path / "no" / "folder" / "x.tar")


def test_a_name_too_long_for_a_plain_tar_says_so(folder, tmp_path):
    manifest = inspect_bundle(folder).manifest
    (folder / ("n" * 120)).write_bytes(b"x")
    write_bundle(folder, manifest)
    with pytest.raises(BundleError, match="the archive cannot be written"):
        pack_bundle(folder, tmp_path / "x.tar")
    assert not (tmp_path / "x.tar").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_memory_does_not_grow_with_the_bundle(folder, tmp_path, cache):
    manifest = inspect_bundle(folder).manifest
    with (folder / "engine.plan").open("wb") as stream:
        stream.truncate(96 << 20)
    tracemalloc.start()
    try:
        write_bundle(folder, manifest)
        pack_bundle(folder, tmp_path / "large.tar")
        load_bundle(tmp_path / "large.tar", UNSIGNED, cache=cache)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
