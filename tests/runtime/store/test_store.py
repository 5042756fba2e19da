from dataclasses import replace

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.preprocess.types import Flag, View
from edge_retrieve.runtime.store import KnownImage, Store

NODULE = "There is a nodule in the right upper lung zone. No pleural effusion. The heart size is normal."
MASS = "Large mass in the left lower lung zone."


def test_a_study_reads_back_as_written(store, maker):
    image, report = maker.image("s1"), maker.report("s1", NODULE)
    store.add([image], [report])
    record = store.study("s1")
    assert (record.study, record.patient, record.study_date, record.sex, record.age) == (
        *("s1", "p", "20240131", "F"),
        61.0,
    )
    assert record.report == NODULE
    assert record.parsed == report.parsed
    assert record.parsed.present_findings(Region.RIGHT_UPPER_LUNG_ZONE) == {Finding.NODULE}
    (stored,) = record.images
    assert stored.boxes == image.encoding.boxes
    np.testing.assert_allclose(stored.box_scores, image.encoding.box_scores)
    assert (stored.view, stored.width, stored.height, stored.applied) == (
        *(View.PA, 2000, 2500),
        ("VOI window", "inverted"),
    )
    assert store.preview("s1") == b"png of sop-s1"


def test_studies_are_read_by_their_numbers_and_deleted_ones_left_out(store, maker):
    store.add([maker.image(f"s{n}") for n in range(3)], [maker.report("s1", NODULE)])
    numbers = [store.study_number(f"s{n}") for n in range(3)]
    store.delete(["s2"])
    found = store.numbered([numbers[2], numbers[1], numbers[0]])
    assert list(found) == [numbers[1], numbers[0]]
    assert found == {store.study_number(record.study): record for record in map(store.study, ("s1", "s0"))}


def test_embeddings_read_back_bit_for_bit(store, maker):
    images = [maker.image(f"s{n}") for n in range(5)]
    report = maker.report("s3", NODULE)
    store.add(images, [report])
    for region in (None, Region.CARINA, Region.ABDOMEN):
        found = store.vectors(Modality.IMAGE, region)
        expected = [
            i.encoding.global_embedding if region is None else i.encoding.regions[region.position]
            for i in images
        ]
        np.testing.assert_array_equal(found.rows, np.stack(expected))
        assert found.studies.tolist() == [store.study_number(f"s{n}") for n in range(5)]
    own = store.study_vectors("s3", Modality.TEXT)
    assert own.keys() == {None, *(region for region, _ in report.regions)}
    for region, vector in report.regions:
        np.testing.assert_array_equal(own[region], vector)
        assert store.vectors(Modality.TEXT, region).studies.tolist() == [store.study_number("s3")]


def test_only_newer_vectors_are_read_on_request(store, maker):
    store.add([maker.image("a"), maker.image("b")], [])
    first = store.vectors(Modality.IMAGE, None)
    store.add([maker.image("c")], [])
    later = store.vectors(Modality.IMAGE, None, after=int(first.owners[-1]))
    assert later.studies.tolist() == [store.study_number("c")]


def test_the_same_instance_or_the_same_pixels_add_nothing(store, maker):
    store.add([maker.image("s1")], [])
    before = store.stats()
    again = maker.image("s1")
    store.add([again, replace(again, sop_instance="other"), replace(again, pixels_sha256="other")], [])
    assert store.stats() == before
    assert store.find_image("sop-s1", "another") == KnownImage("s1", same_pixels=False)
    assert store.find_image("another", "sha-sop-s1") == KnownImage("s1", same_pixels=True)
    assert store.find_image("another", "another") is None


def test_two_images_of_a_study_are_one_study_shown_by_the_frontal_one(store, maker):
    store.add([maker.image("s1", sop="side", lateral=True), maker.image("s1", sop="front")], [])
    assert store.count() == 1
    record = store.study("s1")
    assert [image.sop_instance for image in record.images] == ["front", "side"]
    assert record.images[1].flags == (Flag.LATERAL_VIEW,)
    assert record.images[1].boxes == ()
    assert store.preview("s1") == b"png of front"
    assert len(store.vectors(Modality.IMAGE, None).rows) == 1


def test_a_changed_report_takes_the_place_of_the_old_one(store, maker):
    store.add([maker.image("s1")], [maker.report("s1", NODULE)])
    before = store.watermark(Modality.TEXT)
    store.add([], [maker.report("s1", NODULE)])
    assert store.watermark(Modality.TEXT) == before
    store.add([], [maker.report("s1", MASS)])
    assert store.watermark(Modality.TEXT) != before
    assert store.study("s1").parsed.present_findings() == {Finding.MASS}
    assert len(store.vectors(Modality.TEXT, None).rows) == 1
    assert len(store.vectors(Modality.TEXT, Region.RIGHT_UPPER_LUNG_ZONE).rows) == 0


def test_lists_and_searches(store, maker):
    store.add(
        [maker.image(f"s{n}", patient=f"p{n % 2}") for n in range(6)],
        [maker.report("s2", NODULE), maker.report("s5", MASS)],
    )
    assert [item.study for item in store.studies(limit=2, offset=3)] == ["s3", "s4"]
    assert [item.study for item in store.studies(search="p1")] == ["s1", "s3", "s5"]
    assert [item.study for item in store.studies(search="MASS p1")] == ["s5"]
    assert store.studies(search="nodule p1") == ()
    assert (store.count(), store.count("p1")) == (6, 3)
    # Words of a report count from their beginning, whatever their case.
    assert [item.study for item in store.studies(search="upp effusion.")] == ["s2"]
    assert store.count("ormal") == 0
    assert store.count("effusion OR mass") == 0
    assert store.count('"') == store.count("*") == 0
    # '_' and '%' are themselves, not patterns.
    assert store.studies(search="s_") == store.studies(search="%") == ()
    listed = store.studies()[2]
    assert (listed.findings, listed.has_report, listed.indexed) == ((Finding.NODULE,), True, True)
    assert store.studies()[0].has_report is False


def test_figures(store, maker, toy):
    store.add([maker.image("a"), maker.image("b", lateral=True)], [maker.report("a", NODULE)])
    stats = store.stats()
    assert (stats.studies, stats.patients, stats.images, stats.indexed_images) == (2, 1, 2, 1)
    assert (stats.reports, stats.sentences, stats.findings) == (1, 3, 1)
    regions = sum(bool(store.study("a").parsed.about(region)) for region in REGIONS)
    assert stats.embeddings == 30 + 1 + regions
    assert (stats.bundle_id, stats.model_id) == (toy.bundle.bundle_id, "toy 1")


@pytest.mark.parametrize("call", ["study", "preview", "study_number"])
def test_an_unknown_study_is_named(store, call):
    with pytest.raises(StoreError, match="the store has no study 'nobody'"):
        getattr(store, call)("nobody")


def test_what_is_no_embedding_is_refused_and_nothing_stored(store, maker):
    good, bad = maker.image("good"), maker.image("bad")
    for wrong in (
        np.full(8, np.nan, np.float32),
        np.zeros(8, np.float32),
        np.ones(3, np.float32),
    ):
        broken = replace(bad, encoding=replace(bad.encoding, global_embedding=wrong))
        with pytest.raises(StoreError, match="embedding"):
            store.add([good, broken], [])
    assert store.count() == 0


def test_it_outlives_its_process_object(store, maker, toy):
    store.add([maker.image("s1")], [maker.report("s1", NODULE)])
    store.close()
    with Store.open(store.path, bundle=toy.bundle) as again:
        assert again.study("s1").report == NODULE


def test_a_sound_store_has_no_damage_and_a_lost_row_is_seen(store, maker):
    store.add([maker.image("s1")], [maker.report("s1", NODULE)])
    assert store.damage() == ()
    store._db.execute("PRAGMA foreign_keys = OFF")
    store._db.execute("DELETE FROM studies")
    assert "a row of images refers to nothing" in store.damage()


def test_words_that_do_not_agree_with_the_reports_are_seen(store, maker):
    store.add([maker.image("s1")], [maker.report("s1", NODULE)])
    store._db.execute(
        "INSERT INTO report_words (report_words, rowid, text) SELECT 'delete', id, text FROM reports"
    )
    assert store.damage() == ("the index of words does not agree with the reports",)
