"""The right to erasure: what a deleted study leaves in the files, looked for byte by byte."""

import re
import sqlite3

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.erasure import rebuild
from edge_retrieve.runtime.errors import UnknownStudyError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.probe import Probe
from edge_retrieve.runtime.search import search
from edge_retrieve.runtime.store import Store

NUMBERS = re.compile("vector|half|bfloat")
SECRET = "Zyxomma nodule in the right upper lung zone, quibbledash effusion."


@pytest.fixture
def filled(store, maker):
    """Thirty studies; the one to go lies between the others, with words that no other report has."""
    images = [maker.image(f"s{n}", patient=f"patient-{n}") for n in range(30)]
    gone = maker.image("GONE-1", patient="WANTS-OUT")
    reports = [maker.report(f"s{n}", "No pleural effusion. Large mass in the left lung.") for n in range(30)]
    report = maker.report("GONE-1", SECRET)
    store.add(images[:15], reports[:15])
    store.add([gone], [report])
    store.add(images[15:], reports[15:])
    Index(store).refresh()
    vectors = [gone.encoding.global_embedding, *gone.encoding.regions, report.global_embedding]
    vectors += [vector for _, vector in report.regions]
    traces = {f"vector {n}": vector.astype("<f4").tobytes() for n, vector in enumerate(vectors)}
    halves = {f"half {n}": vector.astype("<f2").tobytes() for n, vector in enumerate(vectors)}
    # The upper half of a float32 is its bfloat16, cut off.
    cut = {f"bfloat {n}": (v.view(np.uint32) >> 16).astype("<u2").tobytes() for n, v in enumerate(vectors)}
    traces |= halves | cut
    words = ["zyxomma", "quibbledash", "WANTS-OUT", "GONE-1", "png of sop-GONE-1"]
    return store, traces | {word: word.lower().encode() for word in words}


def left(store, traces):
    """Names of the traces found in any file of the store, words in either case."""
    found = set()
    for path in store.path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            lowered = data.lower()
            found |= {name for name, t in traces.items() if t in (data if NUMBERS.match(name) else lowered)}
    return found


def found_by(index, vector, k=40):
    return set(search(index, [Probe(None, vector)], k).studies.tolist())


def test_before_the_deletion_every_trace_is_there(filled):
    store, traces = filled
    assert left(store, traces) >= {name for name in traces if not re.match("half|bfloat", name)}


def test_a_deleted_study_is_found_no_more_at_once(filled, maker):
    store, _ = filled
    index, number = Index(store), store.study_number("GONE-1")
    vector = store.study_vectors("GONE-1", Modality.IMAGE)[None]
    assert number in found_by(index, vector)
    store.delete(["GONE-1"])
    for asked in (index, Index(store)):
        found = found_by(asked, vector)
        assert number not in found
        assert len(found) == 30
    assert store.stats().unerased == 1
    assert store.count() == 30
    assert store.count("zyxomma") == 0
    # A study of that name that comes again is another one.
    store.add([maker.image("GONE-1", patient="back")], [])
    assert store.study_number("GONE-1") != number
    assert store.study_number("GONE-1") in found_by(index, vector)
    assert store.damage() == ()


def test_after_the_rebuild_no_vector_pixel_or_word_is_left(filled):
    store, traces = filled
    reader = Index(store)
    query = store.study_vectors("GONE-1", Modality.IMAGE)[None]
    number = store.study_number("GONE-1")
    assert len(reader.partition(Modality.IMAGE, None)) == 31
    orphan = store.index_folder / "image.whole.0123456789ab.rows"
    orphan.write_bytes(query.tobytes())
    store.delete(["GONE-1"])
    assert rebuild(store, Index(store)) is True
    assert left(store, traces) == set()
    assert store.stats().unerased == 0
    # An index that was open all along takes the new files, and the rest answers as before.
    assert len(reader.partition(Modality.IMAGE, None)) == 30
    assert number not in found_by(reader, query)
    for n in (0, 14, 15, 29):
        own = store.study_vectors(f"s{n}", Modality.IMAGE)[None]
        best, _ = reader.partition(Modality.IMAGE, None).search(own, 1)
        assert best.tolist() == [store.study_number(f"s{n}")]
    assert store.count("large") == 30
    assert {len(reader.partition(Modality.IMAGE, region)) for region in REGIONS} == {30}


def test_the_index_is_then_what_it_is_where_the_study_never_was(store, maker, toy, tmp_path):
    """Whatever form its files have: their names hold the hash of their content."""
    images = [maker.image(f"s{n}") for n in range(12)]
    report = maker.report("s3", SECRET)
    store.add(images, [report])
    store.add([maker.image("GONE-1")], [maker.report("GONE-1", "Clear lungs.")])
    Index(store).rebuild()

    def contents(held):
        return {path.name for path in held.index_folder.iterdir() if path.suffix != ".json"}

    with Store.open(tmp_path / "innocent", bundle=toy.bundle, create=True) as innocent:
        innocent.add(images, [report])
        Index(innocent).rebuild()
        assert contents(store) != contents(innocent)
        store.delete(["GONE-1"])
        assert rebuild(store, Index(store)) is True
        assert contents(store) == contents(innocent)


def test_a_replaced_report_leaves_no_word_after_a_rebuild_that_erases(filled, maker):
    store, traces = filled
    store.add([], [maker.report("GONE-1", "Clear lungs.")])
    store.delete(["s3"])
    rebuild(store, Index(store))
    assert not {"zyxomma", "quibbledash"} & left(store, traces)


def test_while_others_read_the_old_database_the_erasure_is_not_claimed(filled, toy):
    store, traces = filled
    store.delete(["GONE-1"])
    reader = sqlite3.connect(store.path / "store.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM studies").fetchone()
    with Store.open(store.path, bundle=toy.bundle, lock_timeout_s=0.1) as impatient:
        assert rebuild(impatient, Index(impatient)) is False
        assert impatient.stats().unerased == 1
        reader.execute("COMMIT")
        reader.close()
        assert rebuild(impatient, Index(impatient)) is True
    assert left(store, traces) == set()


def test_nothing_is_deleted_where_one_is_unknown(filled):
    store, _ = filled
    with pytest.raises(UnknownStudyError, match="no study 'nobody'"):
        store.delete(["s1", "nobody"])
    assert store.count() == 31
    assert store.stats().unerased == 0
