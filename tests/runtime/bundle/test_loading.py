import hashlib
import json
import os
from dataclasses import replace

import pytest

from edge_retrieve.runtime.bundle import MANIFEST_NAME, inspect_bundle, verify, write_bundle
from edge_retrieve.runtime.errors import BundleError


def rewrite(folder, **changes):
    path = folder / MANIFEST_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_bundle_reads_back_as_written(toy, folder):
    manifest = replace(toy.bundle.manifest, evaluation={"p_at_5": 0.5}, thresholds={"abstain_below": 0.25})
    written = write_bundle(folder, manifest)
    read = inspect_bundle(folder)
    assert read == written
    assert read.manifest.thresholds == {"abstain_below": 0.25}
    assert read.bundle_id == hashlib.sha256((folder / MANIFEST_NAME).read_bytes()).hexdigest()
    assert read.bundle_id != toy.bundle.bundle_id
    assert (
        read.manifest.files["tokenizer.json"]
        == hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    )


def test_one_flipped_bit_is_refused(folder):
    data = bytearray((folder / "text_encoder.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "text_encoder.onnx").write_bytes(bytes(data))
    with pytest.raises(BundleError, match=r"text_encoder\.onnx: the file's SHA-256"):
        inspect_bundle(folder)


def test_missing_and_extra_files_are_refused(folder):
    (folder / "extra.bin").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"extra\.bin: the manifest does not list this file"):
        inspect_bundle(folder)
    (folder / "extra.bin").unlink()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"tokenizer\.json: the file is missing"):
        inspect_bundle(folder)


def test_devices_and_pipes_are_refused_unopened(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(BundleError, match="pipe: a bundle holds plain files only"):
        inspect_bundle(folder)


def test_a_manifest_that_is_a_link_is_refused(folder, tmp_path):
    (folder / MANIFEST_NAME).rename(tmp_path / "elsewhere.json")
    (folder / MANIFEST_NAME).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(BundleError, match="the manifest is not a plain file"):
        inspect_bundle(folder)


def test_a_bomb_is_refused_before_it_is_read(folder):
    with (folder / "huge").open("wb") as stream:
        stream.truncate(verify.MAX_BYTES)  # a sparse file takes no room
    with pytest.raises(BundleError, match="a bundle holds at most 32 GiB"):
        inspect_bundle(folder)


def test_too_many_files_are_refused(folder):
    for n in range(verify.MAX_FILES):
        (folder / f"{n}").touch()
    with pytest.raises(BundleError, match="a bundle holds at most 512 files"):
        inspect_bundle(folder)


def test_links_are_refused(folder):
    (folder / "more").symlink_to("/etc/passwd")
    with pytest.raises(BundleError, match="a bundle holds no links"):
        inspect_bundle(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b", "a\\b", "./x"])
def test_names_that_lead_outside_are_refused(folder, name):
    files = json.loads((folder / MANIFEST_NAME).read_text())["files"]
    rewrite(folder, files={**files, name: "0" * 64})
    with pytest.raises(BundleError, match="points out of the bundle"):
        inspect_bundle(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "bundle schema 2 is too new, this version of edge-retrieve reads 1"),
        ({"schema_version": None}, "bundle schema None is unknown"),
        ({"image_size": "64"}, "'image_size' is not a number"),
        ({"image_size": 0}, "'image_size' is not a whole number above 0"),
        ({"thresholds": {"abstain_below": "high"}}, "'thresholds.abstain_below' is not a number"),
        ({"regions": ["left lung", "right lung"]}, "the bundle's regions differ"),
        ({"surprise": 1}, r"unknown manifest entries \['surprise'\]"),
        ({"text_encoder": "absent.onnx"}, "text encoder 'absent.onnx' is not in the bundle"),
    ],
)
def test_a_wrong_manifest_says_what_is_wrong(folder, change, message):
    rewrite(folder, **change)
    with pytest.raises(BundleError, match=message):
        inspect_bundle(folder)


def test_regions_in_another_order_are_refused(folder, toy):
    rewrite(folder, regions=list(reversed(toy.bundle.manifest.regions)))
    with pytest.raises(BundleError, match="their order"):
        inspect_bundle(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\xff", '{"schema_version": 1}'])
def test_what_is_no_manifest_is_refused(folder, text):
    (folder / MANIFEST_NAME).write_text(text)
    with pytest.raises(BundleError, match="manifest"):
        inspect_bundle(folder)


def test_no_folder_and_no_manifest_are_told_apart(tmp_path):
    with pytest.raises(BundleError, match="no such bundle"):
        inspect_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match="the manifest cannot be read"):
        inspect_bundle(tmp_path)
    with pytest.raises(BundleError, match="no such folder"):
        write_bundle(tmp_path / "nowhere", None)
