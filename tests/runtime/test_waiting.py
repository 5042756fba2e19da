"""Nobody who asks waits for somebody who writes: the writer is held where it is, and asked beside."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import FileState, Index
from edge_retrieve.runtime.index import index as index_module
from edge_retrieve.runtime.index import tail as tail_module
from edge_retrieve.runtime.probe import Probe
from edge_retrieve.runtime.search import search
from edge_retrieve.runtime.store import Store, writing

TEXT = "There is a nodule in the right upper lung zone."
PATIENCE_S = 60.0


@pytest.fixture
def filled(store, maker):
    store.add([maker.image(f"s{n}") for n in range(40)], [maker.report("s7", TEXT)])
    Index(store).refresh()
    return store


@pytest.fixture
def held(monkeypatch):
    """Holds whoever calls a function, until told to go on."""
    reached, go_on, threads = threading.Event(), threading.Event(), []

    def hold(module, name, *, after=0):
        kept = getattr(module, name)
        calls = []

        def wait(*args, **options):
            calls.append(name)
            if len(calls) > after:
                reached.set()
                assert go_on.wait(PATIENCE_S)
            return kept(*args, **options)

        monkeypatch.setattr(module, name, wait)

    def start(work, *args):
        threads.append(threading.Thread(target=work, args=args))
        threads[-1].start()
        assert reached.wait(PATIENCE_S)

    hold.start = start
    hold.release = go_on.set
    yield hold
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE_S)


def own(store, study):
    """The study that a stored study's own embedding finds."""
    vector = store.study_vectors(study, Modality.IMAGE)[Region.CARINA]
    return vector, store.study_number(study)


def test_a_query_is_answered_within_a_writers_transaction(filled, maker, held):
    index = Index(filled)
    held(writing, "add_image", after=1)
    held.start(filled.add, [maker.image(f"later-{n}") for n in range(3)], [])
    vector, number = own(filled, "s3")
    ranked = search(index, [Probe(Region.CARINA, vector)], 5, modalities=[Modality.IMAGE])
    assert number in ranked.studies
    assert filled.count() == 40  # nothing of what is not committed
    assert filled.study("s7").report == TEXT
    held.release()


def test_a_query_is_answered_while_rows_are_taken_into_the_files(filled, maker, held, monkeypatch):
    monkeypatch.setattr(tail_module, "_TAIL_ROWS", 4)
    index = Index(filled)
    assert len(index.partition(Modality.IMAGE, Region.CARINA)) == 40
    filled.add([maker.image(f"later-{n}") for n in range(20)], [])
    held(index_module, "build_segment")
    held.start(index.partition, Modality.IMAGE, Region.CARINA)
    for study in ("s3", "later-19"):
        vector, number = own(filled, study)
        partition = index.partition(Modality.IMAGE, Region.CARINA)
        assert len(partition) == 60
        assert partition.search(vector, 1)[0].tolist() == [number]
    held.release()
    index.wait_for_merges()
    merged = index.partition(Modality.IMAGE, Region.CARINA)
    assert (len(merged.base.vectors.rows), len(merged.tail.vectors.rows)) == (60, 0)
    states = {item.key: item.state for item in index.check()}
    assert states[next(key for key in states if key.name == "image.carina")] is FileState.CURRENT


def test_another_process_that_merged_saves_the_work(filled, maker, monkeypatch):
    monkeypatch.setattr(tail_module, "_TAIL_ROWS", 4)
    index = Index(filled)
    index.partition(Modality.IMAGE, None)
    filled.add([maker.image(f"later-{n}") for n in range(20)], [])
    Index(filled).refresh()
    built = []
    monkeypatch.setattr(index_module, "build_segment", lambda *args: built.append(args))
    index.partition(Modality.IMAGE, None)
    index.wait_for_merges()
    assert len(index.partition(Modality.IMAGE, None).base.vectors.rows) == 60
    assert built == []


def test_a_deleted_study_and_a_replaced_report_leave_an_open_partition_without_building_it(
    filled, maker, monkeypatch
):
    index = Index(filled)
    places = [(Modality.IMAGE, None), (Modality.TEXT, None), (Modality.TEXT, Region.RIGHT_UPPER_LUNG_ZONE)]
    for place in places:
        index.partition(*place)
    monkeypatch.setattr(index_module, "build_segment", None)
    vector, number = own(filled, "s3")
    filled.delete(["s3"])
    images = index.partition(Modality.IMAGE, None)
    assert (len(images), number in images.studies, number in images.search(vector, 40)[0]) == (
        39,
        False,
        False,
    )
    assert np.isnan(images.scores(vector, np.asarray([number]))).all()
    truth = filled.vectors(Modality.IMAGE, None).rows
    np.testing.assert_allclose(images.mean, truth.mean(axis=0), atol=1e-6)
    filled.add([], [maker.report("s7", "Large mass in the left lower lung zone.")])
    assert len(index.partition(Modality.TEXT, Region.RIGHT_UPPER_LUNG_ZONE)) == 0
    texts = index.partition(Modality.TEXT, None)
    (row,) = filled.vectors(Modality.TEXT, None).rows
    studies, scores = texts.search(row, 5)
    assert studies.tolist() == [filled.study_number("s7")]
    assert scores[0] == pytest.approx(1.0, abs=1e-5)


def test_threads_read_whole_studies_while_one_writes(filled, maker, toy):
    index, failures, asked = Index(filled), [], []
    stop = threading.Event()

    def read():
        vector, number = own(filled, "s5")
        while not stop.is_set():
            ranked = search(index, [Probe(Region.CARINA, vector)], 3, modalities=[Modality.IMAGE])
            newest = filled.studies(limit=1, offset=filled.count() - 1)[0]
            record = filled.study(newest.study)
            whole = newest.study.startswith("s") or record.report == TEXT
            if number not in ranked.studies or len(record.images) != 1 or not whole:
                failures.append(newest.study)
            asked.append(1)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(15):
        filled.add([maker.image(f"later-{n}")], [maker.report(f"later-{n}", TEXT)])
    stop.set()
    for reader in readers:
        reader.join(PATIENCE_S)
    assert failures == []
    assert len(asked) >= 3
    assert len(index.partition(Modality.IMAGE, None)) == 55


def test_other_processes_read_while_one_writes(filled, maker, toy):
    script = f"""
from pathlib import Path
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.store import Store
with Store.open(Path({str(filled.path)!r})) as store:
    index = Index(store)
    vector = store.study_vectors("s5", Modality.IMAGE)[None]
    number = store.study_number("s5")
    print("ready", flush=True)
    seen = 0
    while seen < 55:
        partition = index.partition(Modality.IMAGE, None)
        assert partition.search(vector, 1)[0].tolist() == [number]
        assert len(partition) >= seen
        seen = len(partition)
"""
    readers = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout.readline() == "ready\n"
    for n in range(15):
        filled.add([maker.image(f"later-{n}")], [])
    for reader in readers:
        reader.stdout.close()
        assert reader.wait(timeout=PATIENCE_S) == 0


def test_a_closed_store_says_so_and_frees_its_connections(filled):
    store = Store.open(filled.path)
    assert store.count() == 40
    store.close()
    with pytest.raises(Exception, match="closed"):
        store.count()
