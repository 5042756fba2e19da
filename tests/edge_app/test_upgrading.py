"""Upgrade, rollback and a change of the bundle, typed as the admin guide has them."""

import contextlib
import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from edge_retrieve.edge_app.labels import ArchiveLabel, read_label, write_label
from edge_retrieve.runtime.bundle import write_bundle
from edge_retrieve.runtime.store import SCHEMA_VERSION, schema_version

FIRST = Path(__file__).parents[1] / "runtime" / "store" / "version_1.sql"
ASKED = ("--text", "nodule in the right upper lung zone", "--region", "right upper lung zone", "--json")


@pytest.fixture
def told(run):
    """Return a function that runs a command, which must succeed, and returns its JSON."""

    def call(*arguments):
        result = run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return call


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "store"
    path.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(path / "store.sqlite")) as raw:
        raw.executescript(FIRST.read_text())
    write_label(path, ArchiveLabel("old ward", synthetic=True))
    return path


def test_upgrade_and_rollback(told, run, old, tmp_path):
    before = told("doctor", "--store", old, "--port", "0")["checks"]
    (warned,) = (check for check in before if check["name"] == "store")
    assert warned["state"] == "warning"
    copy = tmp_path / "before"
    done = told("store", "upgrade", "--store", old, "--backup", copy)
    assert (done["before"], done["after"], done["studies"]) == (1, SCHEMA_VERSION, 2)
    assert told("store", "check", "--store", old)["sound"]
    assert schema_version(copy) == 1
    again = tmp_path / "again"
    assert told("store", "restore", copy, "--store", again)["studies"] == 2
    assert told("store", "stats", "--store", again) == told("store", "stats", "--store", old)
    # What was written on the archive came along.
    assert read_label(again) == ArchiveLabel("old ward", synthetic=True)
    nothing = run("store", "upgrade", "--store", old, "--backup", tmp_path / "never")
    assert (nothing.exit_code, "Nothing to do" in nothing.stdout) == (0, True)


def test_a_backup_of_an_earlier_store_leaves_it_as_it_is(told, old, tmp_path):
    told("store", "backup", tmp_path / "copy", "--store", old)
    assert schema_version(old) == 1
    assert schema_version(tmp_path / "copy") == 1


@pytest.fixture
def other_bundle(toy, tmp_path):
    """The toy bundle under another name: another model, as far as a store can tell."""
    path = tmp_path / "other"
    shutil.copytree(toy.bundle.path, path)
    return write_bundle(path, replace(toy.bundle.manifest, model_id="toy 2"))


def test_another_bundle_and_back(told, run, toy, store_path, other_bundle, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(store_path, store)

    def ask(bundle):
        return run("query", "--store", store, "--bundle", bundle, "--allow-unsigned", *ASKED)

    first = json.loads(ask(toy.bundle.path).stdout)["hits"]
    assert ask(other_bundle.path).exit_code == 1
    for bundle in (other_bundle, toy.bundle):
        done = told("store", "reencode", "--store", store, "--bundle", bundle.path, "--allow-unsigned")
        assert done["bundle_id"] == bundle.bundle_id
        checks = told("doctor", "--store", store, "--bundle", bundle.path, "--allow-unsigned", "--port", "0")
        assert checks["sound"], checks
        # The same weights under another name: the same cases.
        assert json.loads(ask(bundle.path).stdout)["hits"] == first
    assert told("store", "check", "--store", store)["sound"]
