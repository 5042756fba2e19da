"""``edge-retrieve doctor`` as a person runs it."""

import json
import shutil
import socket

import pytest

MODEL = ["installation", "bundle", "engine", "GPU"]
STORE = ["folder", "store", "index", "pseudonyms", "log-in"]
NAMES = [*MODEL, *STORE, "disk", "memory", "clock"]


@pytest.fixture
def options(toy, store_path, tmp_path):
    # A copy: commands of other tests leave an audit trail in the shared store.
    shutil.copytree(store_path, tmp_path / "store", ignore=shutil.ignore_patterns("site"))
    (tmp_path / "store").chmod(0o700)
    return ["--store", tmp_path / "store", "--bundle", toy.bundle.path, "--allow-unsigned", "--port", "0"]


def test_everything_is_looked_at(run, options):
    result = run("doctor", *options, "--json")
    told = json.loads(result.stdout)
    assert [check["name"] for check in told["checks"]] == NAMES
    assert all(check["remedy"] for check in told["checks"] if check["state"] != "ok")
    failed = [check["name"] for check in told["checks"] if check["state"] == "failed"]
    assert (told["sound"], result.exit_code) == (not failed, int(bool(failed)))
    assert not {*MODEL[:3], *STORE} & set(failed), told


def test_people_read_a_line_a_check_and_a_verdict(run, options):
    lines = run("doctor", *options).stdout.splitlines()
    starts = [line[:8].strip() for line in lines if line[:8].strip() in {"ok", "warning", "failed"}]
    assert len(starts) == len(NAMES)
    assert lines[-1].startswith(("Ready.", "Not ready:"))


def test_without_a_store_the_machine_is_looked_at(run):
    told = json.loads(run("doctor", "--port", "0", "--json").stdout)
    assert [check["name"] for check in told["checks"]] == [name for name in NAMES if name not in STORE]


def test_an_altered_bundle_fails_and_the_rest_goes_on(run, toy, store_path, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(toy.bundle.path, bundle)
    (bundle / "tokenizer.json").write_text("{}")
    result = run("doctor", "--store", store_path, "--bundle", bundle, "--allow-unsigned", "--json")
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.exit_code == 1
    assert checks["bundle"]["state"] == "failed"
    assert "SHA-256" in checks["bundle"]["what"]
    assert "engine" not in checks
    assert checks["store"]["state"] == "ok"


def test_an_unsigned_bundle_is_refused_as_the_server_refuses_it(run, toy):
    result = run("doctor", "--bundle", toy.bundle.path, "--port", "0")
    assert result.exit_code == 1
    assert "failed  bundle:" in result.stdout
    assert "not signed" in result.stdout


def test_a_gpu_that_is_required_and_absent_fails(run):
    checks = {
        check["name"]: check
        for check in json.loads(run("doctor", "--require-gpu", "--port", "0", "--json").stdout)["checks"]
    }
    if checks["GPU"]["state"] == "ok":
        pytest.skip(f"this machine has a GPU: {checks['GPU']['what']}")
    assert checks["engine"]["state"] == "failed"
    assert checks["engine"]["remedy"]


def test_a_port_that_is_taken_fails(run, options):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        result = run("doctor", *options[:-1], number)
    assert result.exit_code == 1
    assert f"failed  port {number}:" in result.stdout
    assert result.stdout.splitlines()[-1] == f"Not ready: port {number}."
