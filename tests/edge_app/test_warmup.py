"""``edge-retrieve warmup`` on a machine without a GPU."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.runtime.backends.gpu import find_gpu
from edge_retrieve.runtime.errors import BackendError


@pytest.fixture(autouse=True)
def no_gpu():
    try:
        found = find_gpu()
    except BackendError:
        return
    pytest.skip(f"this machine has a GPU: {found.name}")


def run(*words: object):
    return CliRunner().invoke(main, ["warmup", *map(str, words)])


def test_it_says_which_backend_is_used_and_why_not_the_others(tmp_path):
    result = run("--engines", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["backend"], told["built"]) == ("cpu", [])
    assert [item["backend"] for item in told["refused"]] == ["tensorrt", "tensorrt-rtx", "cuda"]
    assert all("CUDA" in item["reason"] for item in told["refused"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words", [("--require-gpu",), ("--backend", "tensorrt"), ("--backend", "tensorrt-rtx")]
)
def test_what_needs_a_gpu_fails_without_one(tmp_path, words):
    result = run("--engines", tmp_path, *words)
    assert result.exit_code == 1
    assert "the CUDA driver cannot be loaded" in result.output
    assert "Ready" not in result.output
