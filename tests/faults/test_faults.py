"""The fault campaigns in their short form, and that they would notice what they are there for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.store import Store

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def campaigns(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.fixture
def filled(campaigns, tmp_path):
    from fault_campaigns.archive import Archive, made_bundle

    archive = Archive(1)
    with Store.open(tmp_path / "store", bundle=made_bundle(), create=True) as store:
        store.add(
            [archive.image(n) for n in range(20)],
            [archive.report(n, 0) for n in range(10)],
            [archive.file(n, 0 if n < 10 else -1) for n in range(20)],
        )
        yield archive, store


def test_kills_damage_and_full_disks_lose_nothing_and_answer_nothing_wrong(tmp_path):
    sizes = ["--kills", "3", "--corruptions", "10", "--disks", "1", "--seed", "5", "--dir", tmp_path]
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "faults.py", *sizes, "--json"],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(run.stdout)
    assert found["synthetic"] is True
    assert [found[name]["faults"] for name in ("kills", "corruptions", "disks")] == [[], [], []]
    assert found["kills"]["kills"] == 3
    assert found["kills"]["transactions"] > 0
    assert found["corruptions"]["right"] + found["corruptions"]["refused"] == 10
    if found["disks"]["skipped"]:
        pytest.skip(found["disks"]["skipped"])
    assert found["disks"]["disks"] == 1


def test_a_sound_store_has_no_faults(filled):
    from fault_campaigns.looking import Known, look

    archive, store = filled
    held, faults = look(store, archive, Known({n: 0 if n < 10 else -1 for n in range(20)}))
    assert faults == []
    assert sorted(held) == list(range(20))


def test_what_was_lost_or_is_half_there_is_noticed(filled):
    from fault_campaigns.looking import Known, look

    archive, store = filled
    versions = {n: 0 if n < 10 else -1 for n in range(20)}
    store.delete([archive.name(3)])
    assert any("lost [3]" in fault for fault in look(store, archive, Known(versions))[1])
    # A transaction of two studies of which one is there.
    del versions[3]
    store.add([archive.image(20)], [])
    faults = look(store, archive, Known(versions, {20: -1, 21: -1}))[1]
    assert any("half there" in fault for fault in faults)
    assert look(store, archive, Known(versions, {20: -1}))[1] == []


def test_a_note_of_a_file_that_tells_of_something_else_is_noticed(filled):
    from fault_campaigns.looking import Known, look

    archive, store = filled
    known = Known({n: 0 if n < 10 else -1 for n in range(20)})
    store.add([], [], [archive.file(4, 7)])
    assert look(store, archive, known)[1] == ["another note of its file: 4"]


def test_a_wrong_answer_is_noticed(filled, monkeypatch):
    from fault_campaigns.looking import answers

    archive, store = filled
    held = {n: 0 if n < 10 else -1 for n in range(20)}
    assert answers(store, archive, held) == []
    kept = Index.partition

    def of_another_place(self, modality, region):
        return kept(self, modality, None)

    monkeypatch.setattr(Index, "partition", of_another_place)
    assert len(answers(store, archive, held)) > 2
