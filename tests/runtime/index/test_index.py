import json
import os
from dataclasses import replace

import numpy as np
import pytest
import usearch.index

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import FileState, Index, PartitionKey, kernel
from edge_retrieve.runtime.index import tail as tail_module
from edge_retrieve.runtime.index.files import PartitionFiles
from edge_retrieve.runtime.index.switch_points import SwitchPoints, save_switch_points

WHOLE = PartitionKey(Modality.IMAGE, None)
NODULE = "There is a nodule in the right upper lung zone."


@pytest.fixture
def filled(store, maker):
    store.add([maker.image(f"s{n}") for n in range(40)], [maker.report("s7", NODULE)])
    return store


def files(store, key=WHOLE):
    sidecar = PartitionFiles(store.index_folder, key.name).read()
    found = {"json": store.index_folder / f"{key.name}.json"}
    return found | {file.name.rpartition(".")[2]: store.index_folder / file.name for file in sidecar.files}


def answers(store, maker, count=40):
    """A fresh index over the store finds every stored vector as its own nearest."""
    index = Index(store)
    partition = index.partition(Modality.IMAGE, None)
    assert len(partition) == count
    truth = store.vectors(Modality.IMAGE, None)
    for row, study in zip(truth.rows, truth.studies, strict=True):
        found, scores = partition.search(row, 3)
        assert found[0] == study
        assert scores[0] == pytest.approx(1.0, abs=1e-5)
    return {item.key: item.state for item in index.check()}[WHOLE]


FORMS = {
    "rows": SwitchPoints(10**9, 10**9),
    "codes": SwitchPoints(8, 10**9),
    "usearch": SwitchPoints(8, 8),
}


@pytest.fixture(params=FORMS)
def form(request, filled):
    """Have partitions in every form, whatever their size."""
    if request.param == "codes" and not kernel.available():
        pytest.skip("the scan of codes was not compiled here")
    save_switch_points(filled.path, FORMS[request.param])
    return request.param


def test_every_partition_holds_what_the_store_does(filled):
    Index(filled).refresh()
    index = Index(filled)
    assert {item.state for item in index.check()} == {FileState.CURRENT}
    for modality in Modality:
        for region in (None, *Region):
            partition = index.partition(modality, region)
            truth = filled.vectors(modality, region)
            np.testing.assert_array_equal(partition.base.vectors.rows, truth.rows)
            np.testing.assert_array_equal(partition.base.vectors.studies, truth.studies)


def test_a_form_is_what_lies_in_the_files(filled, form):
    Index(filled).refresh()
    for modality in Modality:
        for region in (None, *Region):
            found = files(filled, PartitionKey(modality, region))
            truth = filled.vectors(modality, region)
            wanted = {"json", "rows"} | ({form} if len(truth.rows) >= 8 else set())
            assert set(found) == wanted | {"rows"}
            if "usearch" in found:
                stored = usearch.index.Index.restore(found["usearch"])
                assert str(stored.dtype) == "ScalarKind.BF16"
                kept = stored.get(np.arange(len(truth.rows), dtype=np.uint64), dtype="f32")
                np.testing.assert_allclose(kept, truth.rows, rtol=2**-8)


def test_files_of_an_earlier_version_are_replaced(filled, maker):
    Index(filled).rebuild()
    files(filled)["json"].write_text(json.dumps({"rows": 40, "graph_sha256": "", "format_version": 2}))
    assert {item.key: item.state for item in Index(filled).check()}[WHOLE] is FileState.STALE
    assert answers(filled, maker) is FileState.CURRENT
    assert files(filled)["rows"].exists()


def test_partitions_that_changed_places_are_noticed(filled, maker):
    """Sound files under each other's names: every checksum matches, and every answer would be wrong."""
    Index(filled).rebuild()
    here, there = (files(filled, PartitionKey(Modality.IMAGE, r))["json"] for r in (None, Region.CARINA))
    mine, other = here.read_bytes(), there.read_bytes()
    here.write_bytes(other)
    there.write_bytes(mine)
    assert {item.key: item.state for item in Index(filled).check()}[WHOLE] is FileState.STALE
    assert answers(filled, maker) is FileState.CURRENT


def test_readers_keep_their_view_while_the_files_are_exchanged(filled, maker):
    Index(filled).rebuild()
    reader = Index(filled)
    held = reader.partition(Modality.IMAGE, None)
    query = filled.vectors(Modality.IMAGE, None).rows[7]
    before, names = held.search(query, 5), set(filled.index_folder.iterdir())
    filled.add([maker.image(f"later-{n}") for n in range(5)], [])
    Index(filled).refresh()
    assert not set(files(filled).values()) - {files(filled)["json"]} & names
    for found, again in zip(before, held.search(query, 5), strict=True):
        np.testing.assert_array_equal(found, again)
    assert len(reader.partition(Modality.IMAGE, None)) == 45
    # Two files a partition of so few rows: nothing old stays behind.
    assert len(list(filled.index_folder.iterdir())) == 2 * 2 * (1 + len(Region))


def test_progress_counts_up_to_all_sixty_partitions(filled):
    calls = []
    Index(filled).refresh(lambda *call: calls.append(call))
    assert [done for done, _, _ in calls] == list(range(61))
    assert {total for _, total, _ in calls} == {60}


@pytest.mark.parametrize("suffix", ["rows", "json", "codes", "usearch"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "zero page", "remove"])
def test_damaged_files_are_rebuilt_before_anything_reads_them(filled, maker, suffix, damage):
    if suffix == "codes" and not kernel.available():
        pytest.skip("the scan of codes was not compiled here")
    save_switch_points(filled.path, FORMS.get(suffix, FORMS["rows"]))
    index = Index(filled)
    for modality, region in ((Modality.IMAGE, None), (Modality.IMAGE, Region.CARINA)):
        index.partition(modality, region)
    path = files(filled)[suffix]
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 0x10
    elif damage == "truncate":
        data = data[: len(data) * 2 // 3]
    elif damage == "empty":
        data = bytearray()
    elif damage == "zero page":
        data[: min(64, len(data))] = bytes(min(64, len(data)))
    path.write_bytes(bytes(data))
    if damage == "remove":
        path.unlink()
    before = {item.key: item.state for item in Index(filled).check()}
    assert before.pop(WHOLE) in (FileState.DAMAGED, FileState.MISSING, FileState.STALE)
    assert before[PartitionKey(Modality.IMAGE, Region.CARINA)] is FileState.CURRENT
    assert answers(filled, maker) is FileState.CURRENT


def test_files_of_another_store_or_bundle_are_not_taken(filled, maker, toy, tmp_path):
    Index(filled).rebuild()
    from edge_retrieve.runtime.store import Store

    other_bundle = replace(toy.bundle, bundle_id="e" * 64)
    for bundle in (toy.bundle, other_bundle):
        with Store.open(tmp_path / bundle.bundle_id[:4], bundle=bundle, create=True) as other:
            other.add([maker.image(f"s{n}") for n in range(40)], [])
            other.index_folder.mkdir()
            for path in filled.index_folder.iterdir():
                (other.index_folder / path.name).write_bytes(path.read_bytes())
            assert {item.state for item in Index(other).check()} == {FileState.STALE}
            assert answers(other, maker) is FileState.CURRENT


def test_studies_that_came_later_are_found_at_once_by_an_open_index(filled, maker, form):
    index = Index(filled)
    index.rebuild()
    for count in range(41, 46):
        image = maker.image(f"later-{count}")
        filled.add([image], [])
        partition = index.partition(Modality.IMAGE, None)
        assert len(partition) == count
        found, _ = partition.search(image.encoding.global_embedding, 1)
        assert found.tolist() == [filled.study_number(f"later-{count}")]
    assert answers(filled, maker, count=45) is FileState.BEHIND


def test_many_later_studies_are_taken_into_the_files(filled, maker, monkeypatch):
    monkeypatch.setattr(tail_module, "_TAIL_ROWS", 4)
    Index(filled).rebuild()
    filled.add([maker.image(f"later-{n}") for n in range(20)], [])
    assert answers(filled, maker, count=60) is FileState.CURRENT


def test_refreshing_leaves_no_small_partition_behind(filled, maker):
    Index(filled).refresh()
    filled.add([maker.image("later")], [])
    Index(filled).refresh()
    assert {item.state for item in Index(filled).check()} == {FileState.CURRENT}


def test_a_replaced_report_is_no_longer_found(filled, maker):
    index = Index(filled)
    region = Region.RIGHT_UPPER_LUNG_ZONE
    assert len(index.partition(Modality.TEXT, region)) == 1
    filled.add([], [maker.report("s7", "Large mass in the left lower lung zone.")])
    assert len(index.partition(Modality.TEXT, region)) == 0
    assert len(index.partition(Modality.TEXT, None)) == 1
    assert len(Index(filled).partition(Modality.TEXT, region)) == 0


def test_where_files_cannot_be_written_the_index_lives_in_memory(filled, maker):
    filled.index_folder.write_text("a file where the folder should be")
    assert answers(filled, maker) in (FileState.MISSING, FileState.DAMAGED)
    with pytest.raises(StoreError, match="the index cannot be written"):
        Index(filled).rebuild()


def test_a_write_that_fell_short_keeps_the_old_file(filled, maker, monkeypatch):
    Index(filled).rebuild()
    kept = files(filled)["rows"].read_bytes()
    real = os.fsync

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        Index(filled).rebuild()
    monkeypatch.setattr(os, "fsync", real)
    assert files(filled)["rows"].read_bytes() == kept
    assert not list(filled.index_folder.glob(".*.tmp"))


def test_leftovers_of_killed_writers_are_swept(filled):
    Index(filled).rebuild()
    old, young = (filled.index_folder / f".image.whole.rows.{pid}.tmp" for pid in (1, 2))
    orphan = filled.index_folder / "image.whole.0123456789ab.rows"
    for path in (old, young, orphan):
        path.touch()
    os.utime(old, (0, 0))
    os.utime(orphan, (0, 0))
    Index(filled).rebuild()
    assert (old.exists(), young.exists(), orphan.exists()) == (False, True, False)
    assert {item.state for item in Index(filled).check()} == {FileState.CURRENT}


def test_refreshing_opens_no_partition_that_lacks_nothing(filled, maker, monkeypatch):
    loaded = []

    def load(files, sidecar):
        loaded.append(files.name)
        return original(files, sidecar)

    original = PartitionFiles.load
    Index(filled).refresh()
    monkeypatch.setattr(PartitionFiles, "load", load)
    Index(filled).refresh()
    assert loaded == []
    # A report has rows in a few regions; of images each has one everywhere.
    filled.add([], [maker.report("s8", NODULE)])
    Index(filled).refresh()
    zone = PartitionKey(Modality.TEXT, Region.RIGHT_UPPER_LUNG_ZONE).name
    assert zone in loaded
    assert len(loaded) < 5
    assert all(name.startswith("text.") for name in loaded)
    loaded.clear()
    filled.delete(["s3"])
    Index(filled).refresh()
    assert WHOLE.name in loaded


def test_a_damaged_file_that_refreshing_left_is_built_anew_by_who_searches_it(filled, maker):
    Index(filled).refresh()
    rows = files(filled)["rows"]
    held = bytearray(rows.read_bytes())
    held[len(held) // 2] ^= 1
    rows.write_bytes(held)
    Index(filled).refresh()
    assert answers(filled, maker) is FileState.CURRENT
