"""Signing, packing and checking a bundle by hand, and using one that is signed."""

import json
import shutil

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))

    def call(*arguments, code=0):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return json.loads(result.stdout) if "--json" in arguments else result.stdout + result.stderr

    return call


@pytest.fixture
def keys(run, tmp_path):
    return run("bundle", "keygen", tmp_path / "keys", "--name", "st-anna", "--json")


@pytest.fixture
def folder(toy, tmp_path):
    return shutil.copytree(toy.bundle.path, tmp_path / "model")


def test_from_a_key_to_an_answer(run, toy, folder, keys, archive, tmp_path):
    """What docs/bundle.md begins with."""
    told = run("bundle", "sign", folder, "--key", keys["private"])
    assert keys["key"] in told
    packed = run("bundle", "pack", folder, "--json")
    assert packed == {
        "path": str(tmp_path / "model.tar"),
        "bundle_id": toy.bundle.bundle_id,
        "bytes": (tmp_path / "model.tar").stat().st_size,
        "key": keys["key"],
    }
    trusted = ("--trusted-keys", keys["public"])
    verified = run("bundle", "verify", packed["path"], *trusted, "--json")
    assert verified["signed_by"] == "st-anna"
    assert (verified["files"], verified["verified"]) == (4, True)
    assert "signed by st-anna, graphs load" in run("bundle", "verify", folder, *trusted)
    store = ("--store", tmp_path / "store", "--bundle", packed["path"], *trusted, "--json")
    assert run("ingest", archive, *store)["flagged"] == 6
    assert len(run("query", "--text", "nodule", "-k", 3, *store)["hits"]) == 3


def test_the_folder_its_archive_and_the_unsigned_form_share_a_store(
    run, toy, folder, keys, archive, tmp_path
):
    run("bundle", "sign", folder, "--key", keys["private"], "--json")
    store = ("--store", tmp_path / "store")
    run("ingest", archive, *store, "--bundle", toy.bundle.path, "--allow-unsigned")
    run("query", "--text", "nodule", *store, "--bundle", folder, "--trusted-keys", tmp_path / "keys")


@pytest.mark.parametrize("command", ["ingest", "query", "serve", "verify"])
def test_an_unsigned_bundle_is_refused_by_every_command(run, toy, archive, store_path, tmp_path, command):
    arguments = {
        "ingest": ("ingest", archive, "--store", tmp_path / "store", "--bundle", toy.bundle.path),
        "query": ("query", "--text", "nodule", "--store", store_path, "--bundle", toy.bundle.path),
        "serve": ("serve", "--store", store_path, "--port", 0, "--bundle", toy.bundle.path),
        "verify": ("bundle", "verify", toy.bundle.path),
    }[command]
    assert "the bundle is not signed" in run(*arguments, code=1)
    assert not (tmp_path / "store").exists()


def test_a_wrong_key_is_told_with_its_fingerprint(run, folder, keys, tmp_path):
    other = run("bundle", "keygen", tmp_path / "keys", "--name", "other", "--json")
    run("bundle", "sign", folder, "--key", other["private"])
    told = run("bundle", "verify", folder, "--trusted-keys", keys["public"], code=1)
    assert other["key"] in told
    assert "trusted: st-anna" in told


def test_wrong_use_of_keys_is_wrong_use(run, folder, keys, tmp_path):
    assert "this is no private key" in run("bundle", "sign", folder, "--key", keys["public"], code=2)
    assert "cannot be read" in run("bundle", "pack", folder, "--key", tmp_path / "none", code=2)
    assert "no public key" in run("bundle", "verify", folder, "--trusted-keys", folder, code=2)
    told = run("bundle", "keygen", tmp_path / "keys", "--name", "st-anna", code=2)
    assert "no key is ever replaced" in told
    run("bundle", "pack", folder)
    assert "not signed in place" in run(
        "bundle", "sign", tmp_path / "model.tar", "--key", keys["private"], code=1
    )


def test_an_archive_is_shown_whoever_made_it(run, toy, folder, keys, tmp_path):
    run("bundle", "pack", folder, "--out", tmp_path / "x.tar", "--key", keys["private"])
    shown = run("bundle", "show", tmp_path / "x.tar", "--json")
    assert shown["bundle_id"] == toy.bundle.bundle_id
    assert shown["signature"]["key"] == keys["key"]
    assert keys["key"] in run("bundle", "show", tmp_path / "x.tar")
