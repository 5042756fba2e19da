from dataclasses import replace

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import FileState, Index
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.reencode import Reencoded, reencode
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import Store

NODULE = "There is a nodule in the right upper lung zone."
STUDIES = 20


@pytest.fixture(scope="module")
def encoder(toy):
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        yield encoder


@pytest.fixture(scope="module")
def turned(turned_toy):
    with Encoder(turned_toy, Backend.CPU, threads=1) as encoder:
        yield encoder


@pytest.fixture
def filled(toy, encoder, store, tmp_path):
    for n in range(STUDIES):
        toy.save(tmp_path / "in" / f"{n:02}.png", n, NODULE if n % 2 else None)
    ingest(store, encoder, [tmp_path / "in"])
    return store


def text_rows(store):
    return store.vectors(Modality.TEXT, None).rows


def test_the_new_bundle_is_in_force_at_the_end_and_no_row_is_of_the_old_one(toy, filled, turned):
    before = filled.vectors(Modality.IMAGE, Region.CARINA).rows
    assert reencode(filled.path, turned) == Reencoded(STUDIES, STUDIES // 2, 0)
    with Store.open(filled.path, bundle=turned.bundle) as store:
        assert (store.bundle_id, store.model_id) == (turned.bundle_id, "toy 2")
        wanted = toy.text(NODULE)[::-1]
        np.testing.assert_allclose(text_rows(store), np.tile(wanted, (STUDIES // 2, 1)), atol=1e-5)
        zone = store.vectors(Modality.TEXT, Region.RIGHT_UPPER_LUNG_ZONE).rows
        assert len(zone) == STUDIES // 2
        np.testing.assert_allclose(store.vectors(Modality.IMAGE, Region.CARINA).rows, before, atol=1e-6)
        assert store.damage() == ()
        assert {item.state for item in Index(store).check()} == {FileState.CURRENT}
        old = store._db.execute("SELECT count(*) FROM text_embeddings WHERE generation = 1").fetchone()
        assert old == (0,)
    with pytest.raises(StoreError, match="embeddings come from another bundle"):
        Store.open(filled.path, bundle=toy.bundle)


def test_queries_and_ingests_go_on_until_the_change_and_are_refused_after(
    toy, filled, encoder, turned, tmp_path
):
    retriever = Retriever(filled, encoder)

    def ask():
        return retriever.query(Query(text=NODULE, k=3)).hits

    expected = [ask()]
    answers = []

    def meanwhile(done, total, what):
        if what == "encode" and done < total:
            answers.append(ask())
            if len(answers) == 1:
                ingest(filled, encoder, [toy.save(tmp_path / "late.png", 99, NODULE, carina=0.9)])
                expected.append(ask())

    reencode(filled.path, turned, meanwhile)
    assert len(answers) > 1
    assert answers[0] == expected[0]
    assert all(answer == expected[1] for answer in answers[1:])
    with pytest.raises(StoreError, match="encoded anew, for another bundle"):
        ask()
    with pytest.raises(StoreError, match="encoded anew, for another bundle"):
        ingest(filled, encoder, [toy.save(tmp_path / "later.png", 100)])
    with Store.open(filled.path, bundle=turned.bundle) as store:
        assert len(store.vectors(Modality.IMAGE, None).rows) == STUDIES + 1
        assert len(text_rows(store)) == STUDIES // 2 + 1
        assert store.damage() == ()


def test_an_interrupted_run_goes_on_where_it_was(filled, encoder, turned):
    def interrupt(done, total, what):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reencode(filled.path, turned, interrupt)
    with Store.open(filled.path, bundle=encoder.bundle) as store:
        assert store.bundle_id == encoder.bundle_id
        assert store.damage() == ()
        assert len(text_rows(store)) == STUDIES // 2
    again = reencode(filled.path, turned)
    assert 0 < again.images < STUDIES
    assert reencode(filled.path, turned) == Reencoded(0, 0, 0)


def test_what_was_half_done_for_another_bundle_does_not_count(filled, encoder, turned):
    third = replace(turned.bundle, bundle_id="9" * 64)
    filled.generations.begin(third)
    assert reencode(filled.path, turned).images == STUDIES
    with Store.open(filled.path) as store:
        assert store.bundle_id == turned.bundle_id


def test_images_whose_files_are_gone_or_others_are_encoded_from_their_pictures(toy, filled, turned, tmp_path):
    before = filled.vectors(Modality.IMAGE, None).rows
    (tmp_path / "in" / "00.png").unlink()
    toy.save(tmp_path / "in" / "01.png", 77)
    assert reencode(filled.path, turned).from_previews == 2
    with Store.open(filled.path) as store:
        # The pictures hold these small images whole: 8 bits in, 8 bits kept.
        np.testing.assert_allclose(store.vectors(Modality.IMAGE, None).rows, before, atol=1e-4)


def test_deleting_meanwhile_leaves_nothing_to_encode(filled, turned):
    gone = [item.study for item in filled.studies()][:2]

    def delete(done, total, what):
        if gone:
            filled.delete([gone.pop()])

    reencode(filled.path, turned, delete)
    with Store.open(filled.path) as store:
        assert store.count() == STUDIES - 2
        assert store.damage() == ()


def test_a_generation_that_was_given_up_takes_nothing_more(filled, turned):
    terms = filled.generations.begin(turned.bundle)
    filled.generations.begin(replace(turned.bundle, bundle_id="9" * 64))
    with pytest.raises(StoreError, match="another process encodes the store"):
        filled.generations.switch(terms)


def test_progress_counts_up(filled, turned):
    calls = []
    done = reencode(filled.path, turned, lambda *call: calls.append(call))
    encoding = [call for call in calls if call[2] == "encode"]
    assert [at for at, _, _ in encoding] == sorted(at for at, _, _ in encoding)
    assert encoding[-1][0] == encoding[-1][1] == STUDIES + STUDIES // 2
    assert (done.images, done.reports) == (STUDIES, STUDIES // 2)
