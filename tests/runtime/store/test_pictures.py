"""Pictures, orders and the worklist of a store."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.preprocess.grey import GreyImage, GreyKind, GreyScale, Window
from edge_retrieve.runtime.preprocess.render import grey_png, show
from edge_retrieve.runtime.store import Order, Store, Worklist

SCALE = GreyScale(GreyKind.VALUES, 4095, (Window("LUNG", 900.5, 700.0), Window("full range", 2047.5, 4095.0)))


def picture(seed=1):
    values = np.random.default_rng(seed).integers(0, 4096, (48, 40)).astype(np.uint16)
    return GreyImage(values, SCALE)


def with_grey(image, grey):
    return replace(image, preview=grey_png(grey), scale=grey.scale)


def test_grey_values_come_back_with_their_meaning(store, maker):
    grey = picture()
    store.add([with_grey(maker.image("s1"), grey)], [])
    found = store.picture("s1")
    assert found.scale == SCALE
    assert np.array_equal(found.image().values, grey.values)
    assert (found.width, found.height, found.sha256) == (2000, 2500, "sha-sop-s1")


def test_the_preview_is_the_first_window(store, maker):
    grey = picture()
    store.add([with_grey(maker.image("s1"), grey)], [])
    shown = np.asarray(Image.open(io.BytesIO(store.preview("s1"))))
    assert np.array_equal(shown, show(grey.values, SCALE.windows[0]))


def test_a_picture_of_an_earlier_version_is_served_and_says_so(store, maker):
    store.add([maker.image("s1")], [])
    found = store.picture("s1")
    assert (found.scale.kind, found.scale.bits) == (GreyKind.DISPLAY, 8)
    assert store.preview("s1") == found.png == b"png of sop-s1"


def test_a_damaged_meaning_is_found(store, maker):
    store.add([with_grey(maker.image("s1"), picture())], [])
    (held,) = store._db.execute("SELECT described FROM grey_scales").fetchone()
    store._db.execute("UPDATE grey_scales SET described = ?", (held.replace(b"LUNG", b"LUNK"),))
    with pytest.raises(StoreError, match="grey scale of image 'sop-s1' does not match its checksum"):
        store.picture("s1")
    assert any("grey scale" in line for line in store.damage())


def test_the_order_is_kept_listed_and_covered_by_the_checksum(store, maker):
    store.add([replace(maker.image("s1"), accession="ACC-77"), maker.image("s2")], [])
    assert [store.study(name).accession for name in ("s1", "s2")] == ["ACC-77", ""]
    assert [line.accession for line in store.studies()] == ["ACC-77", ""]
    store._db.execute("UPDATE orders SET accession = 'ACC-78'")
    with pytest.raises(StoreError, match="does not match its checksum"):
        store.study("s1")


def test_orders_and_meanings_go_with_their_study(store, maker):
    store.add([replace(with_grey(maker.image("s1"), picture()), accession="ACC-77")], [])
    store.delete(["s1"])
    held = [
        store._db.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("orders", "grey_scales")
    ]
    assert held == [(0,), (0,)]


DATES = {"a": "20200105", "b": "20230930", "c": "", "d": "20230930", "e": "19991231"}


@pytest.fixture
def listed(store, maker):
    for name, date in DATES.items():
        image = replace(
            maker.image(name),
            study_date=date,
            patient=f"P_{name}%",
            accession=f"A{name}-1" if name != "c" else "",
        )
        report = maker.report(name, "FINDINGS: There is a nodule in the right upper lung zone.")
        store.add([image], [report] if name in "ab" else [])
    return store


def names(store, **wanted):
    which = Worklist(**wanted)
    found = [line.study for line in store.studies(wanted=which)]
    assert store.count(wanted=which) == len(found)
    return "".join(found)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "abcde"),
        ({"order": Order.NEWEST}, "dbaec"),
        ({"order": Order.NEWEST, "date_from": "20200105"}, "dba"),
        ({"date_to": "20200105"}, "ae"),
        ({"date_from": "20200105", "date_to": "20230929"}, "a"),
        ({"patient": "_b%"}, "b"),
        ({"patient": "Xb"}, ""),
        ({"accession": "A"}, "abde"),
        ({"accession": "d-1", "date_from": "20230930"}, "d"),
        ({"search": "nodule"}, "ab"),
        ({"search": "nodule 2023"}, "b"),
        ({"search": "Ae-1"}, "e"),
        ({"search": "nodule", "order": Order.NEWEST}, "ba"),
        ({"search": '"'}, ""),
    ],
)
def test_the_worklist_is_narrowed_and_ordered(listed, wanted, expected):
    assert names(listed, **wanted) == expected


def test_pages_of_the_newest_fit_together(listed):
    newest = Worklist(order=Order.NEWEST)
    pages = [listed.studies(limit=2, offset=start, wanted=newest) for start in (0, 2, 4)]
    assert "".join(line.study for page in pages for line in page) == "dbaec"


def test_a_store_of_the_version_before_gets_the_tables(store, maker, toy):
    store.add([maker.image("s1")], [maker.report("s1", "Heart size is normal.")])
    for statement in ("DROP TABLE grey_scales", "DROP TABLE orders", "DROP INDEX studies_by_date"):
        store._db.execute(statement)
    store._db.execute("PRAGMA user_version = 3")
    store.close()
    with Store.open(store.path, bundle=toy.bundle) as later:
        assert later.preview("s1") == b"png of sop-s1"
        assert later.study("s1").report == "Heart size is normal."
        later.add([replace(with_grey(maker.image("s2"), picture()), accession="A2")], [])
        assert later.study("s2").accession == "A2"
        assert later.damage() == ()
