"""ONNX Runtime reports nothing of its use: it neither keeps an identifier nor opens a connection."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# By which ONNX Runtime itself would know that it is being tested.
SILENCING = ("ORT_", "CI", "GITHUB_", "GITLAB_", "BUILD_", "TF_BUILD", "JENKINS_")
SESSION = "\nimport onnxruntime as o; o.InferenceSession({graph!r}, providers=['CPUExecutionProvider'])"
OURS = {
    "runtime": "import edge_retrieve.runtime.backends",
    "application": "import edge_retrieve.edge_app.workspace",
    "export": "import edge_retrieve.export.int8, edge_retrieve.export.models",
}


def kept(code, folder, graph):
    """Run code and a session; return what lies in its cache and home then."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(SILENCING)}
    environment |= {"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-c", code + SESSION.format(graph=str(graph))]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found if "onnxruntime" in str(path))


@pytest.fixture
def graph(toy):
    return toy.bundle.path / "image_encoder.onnx"


@pytest.mark.parametrize("house", OURS)
def test_nothing_of_ours_lets_it_keep_an_identifier(house, tmp_path, graph):
    if house == "export":
        pytest.importorskip("torch")
    assert kept(OURS[house], tmp_path, graph) == []


def test_by_itself_it_would(tmp_path, graph):
    if not kept("pass", tmp_path, graph):
        pytest.skip("this ONNX Runtime reports nothing by itself")
