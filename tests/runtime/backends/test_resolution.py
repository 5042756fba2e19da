"""The order of the automatic choice, with made openers and with a made machine."""

from __future__ import annotations

import sys

import pytest

from edge_retrieve.runtime.backends import Backend, open_graphs
from edge_retrieve.runtime.backends.resolution import PREFERENCE, Refusal, resolve
from edge_retrieve.runtime.bundle import Graph
from edge_retrieve.runtime.errors import BackendError, MissingExtraError


def openers(*working, tried=None):
    """Openers of which only some work."""

    def opener(backend):
        def open_it():
            if tried is not None:
                tried.append(backend)
            if backend in working:
                return f"opened {backend.value}"
            if backend is Backend.TENSORRT:
                raise MissingExtraError("is not installed", where=backend.value)
            raise BackendError("does not work", where=backend.value)

        return open_it

    return {backend: opener(backend) for backend in PREFERENCE}


@pytest.mark.parametrize("best", PREFERENCE)
def test_auto_takes_the_first_that_works_and_says_why_not_the_better_ones(best):
    tried = []
    opened, resolution = resolve(Backend.AUTO, openers(best, Backend.CPU, tried=tried))
    assert opened == f"opened {best.value}"
    assert resolution.chosen is best
    better = PREFERENCE[: PREFERENCE.index(best)]
    assert [refusal.backend for refusal in resolution.refused] == list(better)
    assert tried == [*better, best]
    assert resolution.sentences()[0] == f"Backend {best.value}."
    if better:
        assert resolution.refused[0] == Refusal(Backend.TENSORRT, "tensorrt: is not installed.")
        assert resolution.sentences()[1] == "Not tensorrt: tensorrt: is not installed."


def test_a_refused_backend_is_named_once():
    def missing():
        raise BackendError("the driver is missing", where="backend cuda")

    _, resolution = resolve(Backend.AUTO, {Backend.CUDA: missing, Backend.CPU: lambda: None})
    assert resolution.sentences()[1] == "Not cuda: the driver is missing."


def test_one_asked_for_by_name_is_never_replaced():
    with pytest.raises(BackendError, match="cuda: does not work"):
        resolve(Backend.CUDA, openers(Backend.CPU))
    assert resolve(Backend.CPU, openers(*PREFERENCE))[1].refused == ()


def test_a_required_gpu_is_never_replaced_by_the_cpu():
    tried = []
    with pytest.raises(BackendError) as told:
        resolve(Backend.AUTO, openers(Backend.CPU, tried=tried), require_gpu=True)
    assert Backend.CPU not in tried
    for part in ("a GPU is required", "tensorrt: is not installed", "cuda: does not work", "--require-gpu"):
        assert part in str(told.value)
    with pytest.raises(BackendError, match="a GPU is required"):
        resolve(Backend.CPU, openers(*PREFERENCE), require_gpu=True)


def test_where_nothing_works_every_reason_is_told():
    with pytest.raises(BackendError, match=r"no engine works here.*tensorrt.*cuda.*cpu: does not work"):
        resolve(Backend.AUTO, openers())


def all_graphs(write_plan, root, library, **changes):
    for graph in Graph:
        write_plan(root, graph, library, **changes)


def test_a_machine_with_engines_runs_them(bundle, libraries, write_plan, tmp_path, cuda):
    all_graphs(write_plan, tmp_path, "tensorrt")
    with open_graphs(bundle, engines=tmp_path) as graphs:
        assert graphs.resolution.chosen is Backend.TENSORRT
        assert graphs.resolution.refused == ()
        assert all(runner.name.startswith("TensorRT 10.3.0") for runner in graphs.runners.values())
    assert cuda.live == 0


def test_engines_that_do_not_fit_are_passed_over(bundle, libraries, write_plan, tmp_path, cuda):
    all_graphs(write_plan, tmp_path, "tensorrt", compute_capabilities=("8.7",))
    all_graphs(write_plan, tmp_path, "tensorrt-rtx", plan=b"cut short")
    with open_graphs(bundle, engines=tmp_path, threads=1) as graphs:
        assert graphs.resolution.chosen is Backend.CPU
        reasons = dict(graphs.resolution.refused)
    assert "was built for compute capability 8.7, Stand-in 4000 has 8.9" in reasons[Backend.TENSORRT]
    assert "tensorrt-rtx refuses the engine (Magic tag does not match)" in reasons[Backend.TENSORRT_RTX]
    assert "edge-retrieve warmup" in reasons[Backend.TENSORRT]
    assert "edge-retrieve[gpu]" in reasons[Backend.CUDA]
    assert cuda.live == 0  # what was opened on the way is closed


def test_an_engine_that_opens_but_does_not_run_is_no_choice(
    bundle, libraries, write_plan, tmp_path, monkeypatch, cuda
):
    all_graphs(write_plan, tmp_path, "tensorrt")
    monkeypatch.setattr(libraries["tensorrt"].context_type, "execute_async_v3", lambda self, stream: False)
    with open_graphs(bundle, engines=tmp_path, threads=1) as graphs:
        assert graphs.resolution.chosen is Backend.CPU
        assert "the engine failed" in graphs.resolution.refused[0].reason
    assert cuda.live == 0


def test_a_machine_without_a_gpu_or_a_library_says_so(bundle, cuda, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtraError, match=r"edge-retrieve\[tensorrt\]"):
        open_graphs(bundle, Backend.TENSORRT)
    cuda.reset(devices=0)
    with pytest.raises(BackendError, match="the driver finds no GPU"):
        open_graphs(bundle, Backend.TENSORRT_RTX)
