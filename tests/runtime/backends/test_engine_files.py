"""Engines on disk: found where they fit, refused with the reason where they do not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edge_retrieve.runtime.backends.engine_files import (
    EngineFile,
    engines_folder,
    find_engine,
    read_engine,
)
from edge_retrieve.runtime.backends.gpu import Gpu, find_gpu
from edge_retrieve.runtime.bundle import Graph
from edge_retrieve.runtime.errors import BackendError

TEXT = Graph.TEXT_ENCODER
ADA = Gpu("RTX 4000", (8, 9))


def find(bundle, root, *, library="tensorrt", version="10.3.0", gpu=ADA):
    return find_engine(bundle, TEXT, library, version, gpu, root)


def test_an_engine_is_found_by_bundle_graph_library_card_and_release(bundle, write_plan, tmp_path):
    written = write_plan(tmp_path, TEXT, "tensorrt")
    write_plan(tmp_path, Graph.IMAGE_ENCODER, "tensorrt")
    assert written.path.parent == tmp_path / bundle.bundle_id
    found = find(bundle, tmp_path, version="10.3.0.26")
    assert found == written
    assert found.read() == written.path.read_bytes()
    assert not [path for path in written.path.parent.iterdir() if path.name.startswith(".")]
    with pytest.raises(BackendError, match=r"there is no tensorrt-rtx engine.*edge-retrieve warmup"):
        find(bundle, tmp_path, library="tensorrt-rtx")
    other = replace(bundle, bundle_id="0" * 64)
    with pytest.raises(BackendError, match="there is no tensorrt engine of the text_encoder"):
        find(other, tmp_path)


@pytest.mark.parametrize(
    ("changes", "version", "gpu", "reason"),
    [
        ({}, "10.4.0", ADA, "was built by tensorrt 10.3.0, 10.4.0 is installed"),
        ({"version_compatible": True}, "11.0.0", ADA, "11.0.0 is installed"),
        ({"version_compatible": True}, "10.2.0", ADA, "10.2.0 is installed"),
        ({}, "10.3.0", Gpu("Orin", (8, 7)), "compute capability 8.9, Orin has 8.7"),
        ({"gpu_name": "L4"}, "10.3.0", ADA, "was built for L4, this machine has RTX 4000"),
        ({"hardware_compatibility": "ampere_plus"}, "10.3.0", Gpu("T4", (7, 5)), "T4 has 7.5"),
        ({"hardware_compatibility": "same_compute_capability"}, "10.3.0", Gpu("H", (9, 0)), "H has 9.0"),
    ],
)
def test_one_that_does_not_fit_says_why(bundle, write_plan, tmp_path, changes, version, gpu, reason):
    write_plan(tmp_path, TEXT, "tensorrt", **changes)
    with pytest.raises(BackendError, match=f"no engine of the text_encoder fits: .*{reason}"):
        find(bundle, tmp_path, version=version, gpu=gpu)


@pytest.mark.parametrize(
    ("changes", "version", "gpu"),
    [
        ({"version_compatible": True}, "10.14.1", ADA),
        ({"gpu_name": "L4", "hardware_compatibility": "same_compute_capability"}, "10.3.0", ADA),
        ({"gpu_name": "A2", "hardware_compatibility": "ampere_plus"}, "10.3.0", Gpu("Hopper", (9, 0))),
        ({"compute_capabilities": ("8.6", "8.9", "12.0")}, "10.3.0", ADA),
    ],
)
def test_compatibility_that_was_asked_for_is_used(bundle, write_plan, tmp_path, changes, version, gpu):
    write_plan(tmp_path, TEXT, "tensorrt", **changes)
    assert find(bundle, tmp_path, version=version, gpu=gpu).path.is_file()


def test_an_engine_inside_a_bundle_is_found_too(bundle, write_plan, tmp_path):
    written = write_plan(tmp_path, TEXT, "tensorrt")
    manifest = replace(
        bundle.manifest,
        engines=(written.record.engine,),
        files={**bundle.manifest.files, written.record.engine.file: written.record.sha256},
    )
    carrying = replace(bundle, path=written.path.parent, manifest=manifest)
    found = find(carrying, tmp_path / "nothing here")
    assert found.read() == written.path.read_bytes()


def test_damage_is_told_before_a_library_sees_it(bundle, write_plan, tmp_path):
    written = write_plan(tmp_path, TEXT, "tensorrt")
    content = bytearray(written.path.read_bytes())
    content[1000] ^= 1
    written.path.write_bytes(content)
    with pytest.raises(BackendError, match=r"the engine is damaged.*edge-retrieve warmup"):
        find(bundle, tmp_path).read()
    written.path.unlink()
    with pytest.raises(BackendError, match="the engine cannot be read"):
        find(bundle, tmp_path).read()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda record: {**record, "sha256": "short"}, "'short' is not a SHA-256"),
        (lambda record: {key: record[key] for key in record if key != "engine"}, "lacks 'engine'"),
        (lambda record: {**record, "more": 1}, "unknown manifest entries"),
        (lambda record: {**record, "engine": {**record["engine"], "file": "../x"}}, "points out"),
    ],
)
def test_a_record_that_is_none_is_named(bundle, write_plan, tmp_path, spoil, message):
    write_plan(tmp_path, TEXT, "tensorrt")
    (sidecar,) = engines_folder(bundle, tmp_path).glob("*.json")
    sidecar.write_text(json.dumps(spoil(json.loads(sidecar.read_text()))))
    with pytest.raises(BackendError, match=message) as told:
        find(bundle, tmp_path)
    assert sidecar.name in str(told.value)


def test_a_record_reads_as_it_was_written(bundle, write_plan, tmp_path):
    written = write_plan(tmp_path, TEXT, "tensorrt", gpu_name="L4", hardware_compatibility="ampere_plus")
    (sidecar,) = engines_folder(bundle, tmp_path).glob("*.json")
    assert read_engine(sidecar) == EngineFile(written.path, written.record)


def test_without_a_root_engines_lie_in_the_cache_folder(bundle, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert engines_folder(bundle) == tmp_path / "edge-retrieve" / "engines" / bundle.bundle_id


def test_a_folder_that_cannot_be_written_is_named(bundle, write_plan, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BackendError, match=r"the engine cannot be written.*--engines"):
        write_plan(tmp_path / "file", TEXT, "tensorrt")


def test_the_card_is_what_the_driver_says(cuda):
    assert find_gpu() == Gpu("Stand-in 4000", (8, 9))
    assert find_gpu().capability_text == "8.9"
    cuda.reset(devices=0)
    with pytest.raises(BackendError, match="the driver finds no GPU"):
        find_gpu()
