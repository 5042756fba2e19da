import shutil
import sqlite3
from collections import namedtuple

import pytest

from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store.sqlite_errors import sensible, translated

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "told"), [(4096, "the disk is full"), (1 << 30, "failed to read or write")])
def test_a_full_disk_is_told_from_a_broken_one(tmp_path, monkeypatch, free, told):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, (1 << 40) - free, free))
    with pytest.raises(StoreError, match=told), translated(str(tmp_path)):
        raise sqlite3.OperationalError("disk I/O error")


def test_errors_name_the_place_once(tmp_path):
    with pytest.raises(StoreError) as caught, translated(str(tmp_path)):
        raise StoreError("no unit vector", remedy="Export it again")
    assert str(caught.value) == f"{tmp_path}: no unit vector. Export it again."
    with pytest.raises(StoreError) as caught, translated(str(tmp_path)):
        raise StoreError("not a store", where="elsewhere")
    assert str(caught.value) == "elsewhere: not a store."


def test_rows_that_make_no_sense_are_damage():
    with (
        pytest.raises(StoreError, match=r"damaged: a row makes no sense \(ValueError: 'QA' is no view\)"),
        sensible(),
    ):
        raise ValueError("'QA' is no view")
