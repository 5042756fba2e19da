"""Running engines of a made library: profiles, recorded launches, workers, and what is left behind."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edge_retrieve.runtime.backends.device_memory import DriverMemory
from edge_retrieve.runtime.backends.profiles import InputProfile
from edge_retrieve.runtime.backends.tensorrt_rtx_runner import open_tensorrt_rtx
from edge_retrieve.runtime.backends.tensorrt_runner import open_tensorrt
from edge_retrieve.runtime.bundle import Graph
from edge_retrieve.runtime.errors import BackendError

TEXT = Graph.TEXT_ENCODER
OPEN = {"tensorrt": open_tensorrt, "tensorrt-rtx": open_tensorrt_rtx}
FEEDS = {"token_ids": np.asarray([[3, 4, 5]]), "mask": np.asarray([[1, 1, 0]])}


@pytest.fixture(params=OPEN)
def library(request):
    return request.param


@pytest.fixture
def runner(library, libraries, write_plan, tmp_path):
    with OPEN[library](write_plan(tmp_path, TEXT, library)) as runner:
        yield runner


def feeds(batch, tokens):
    return {"token_ids": np.full((batch, tokens), 3), "mask": np.ones((batch, tokens), np.int64)}


def test_shapes_outside_the_profile_are_told_with_the_profile(runner):
    runner.run(feeds(4, 24))
    with pytest.raises(BackendError) as told:
        runner.run(feeds(5, 24))
    message = str(told.value)
    assert "input 'token_ids' has shape 5 x 24, the engine was built for 1 x 1 to 4 x 24" in message
    assert "--max-texts" in message
    assert runner.name in message


def test_profiles_are_in_order():
    for shapes in [((1,), (3,), (2,)), ((0,), (1,), (2,)), ((1,), (1, 1), (1,))]:
        with pytest.raises(BackendError, match="is not in order"):
            InputProfile("x", *shapes)
    assert InputProfile("x", (1, 3), (2, 3), (4, 3)).extents == (None, 3)


def test_launches_of_one_shape_are_recorded_once_and_replayed(libraries, write_plan, tmp_path, cuda):
    with open_tensorrt(write_plan(tmp_path, TEXT, "tensorrt")) as runner:
        (context,) = libraries["tensorrt"].made[0].contexts
        for number, (enqueued, replays) in enumerate([(1, 0), (2, 1), (2, 2), (2, 3)]):
            runner.run({"token_ids": np.full((1, 3), number), "mask": np.ones((1, 3), np.int64)})
            assert (context.enqueued, cuda.replays) == (enqueued, replays)
        runner.run(feeds(2, 3))  # other shapes go to the engine first
        assert (context.enqueued, cuda.replays) == (3, 3)


def test_a_launch_that_fails_under_recording_ends_the_recording(
    libraries, write_plan, tmp_path, cuda, monkeypatch
):
    with open_tensorrt(write_plan(tmp_path, TEXT, "tensorrt")) as runner:
        expected = runner.run(FEEDS)["text"]
        with monkeypatch.context() as broken:
            broken.setattr(libraries["tensorrt"].context_type, "execute_async_v3", lambda self, stream: False)
            with pytest.raises(BackendError, match="the engine failed"):
                runner.run(FEEDS)
        np.testing.assert_array_equal(runner.run(FEEDS)["text"], expected)


def test_tensorrt_for_rtx_records_its_graphs_itself_and_keeps_its_kernels(
    libraries, write_plan, tmp_path, cuda
):
    file = write_plan(tmp_path, TEXT, "tensorrt-rtx")
    with open_tensorrt_rtx(file) as runner:
        for _ in range(3):
            runner.run(FEEDS)
        (context,) = libraries["tensorrt_rtx"].made[0].contexts
        assert (context.enqueued, cuda.replays) == (3, 0)
        assert context.config.cuda_graph_strategy == "whole graph"
    cache = file.path.with_suffix(".jit")
    assert cache.read_bytes() == b"kernels compiled here"
    cache.write_bytes(b"of an earlier run")
    with open_tensorrt_rtx(file):
        assert libraries["tensorrt_rtx"].made[1].contexts[0].config.cache.content == b"of an earlier run"


def test_each_worker_has_a_context_of_its_own(runner, library, libraries):
    with runner.another() as other:
        results = {}

        def work(name, worker, value):
            for _ in range(5):
                results[name] = worker.run({**FEEDS, "token_ids": np.full((1, 3), value)})["text"]

        threads = [
            threading.Thread(target=work, args=item) for item in (("one", runner, 3), ("other", other, 9))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        alone = {
            "one": runner.run({**FEEDS, "token_ids": np.full((1, 3), 3)})["text"],
            "other": runner.run({**FEEDS, "token_ids": np.full((1, 3), 9)})["text"],
        }
    for name, value in alone.items():
        np.testing.assert_array_equal(results[name], value)
    assert len(libraries[library.replace("-", "_")].made) == 1  # one engine in memory
    assert len(libraries[library.replace("-", "_")].made[0].contexts) == 2


def test_two_threads_in_one_context_are_told_apart(runner, library, libraries, monkeypatch):
    inside, leave = threading.Event(), threading.Event()
    context_type = libraries[library.replace("-", "_")].context_type
    honest = context_type.execute_async_v3

    def slow(self, stream):
        inside.set()
        leave.wait(10)
        return honest(self, stream)

    monkeypatch.setattr(context_type, "execute_async_v3", slow)
    thread = threading.Thread(target=runner.run, args=(FEEDS,))
    thread.start()
    try:
        assert inside.wait(10)
        with pytest.raises(BackendError, match=r"two threads use one execution context.*another"):
            runner.run(FEEDS)
    finally:
        leave.set()
        thread.join()


def test_nothing_is_left_on_the_device(library, libraries, write_plan, tmp_path, cuda):
    file = write_plan(tmp_path, TEXT, library)
    with OPEN[library](file) as runner:
        for _ in range(3):
            runner.run(FEEDS)
        assert cuda.live > 0
    del runner
    assert cuda.live == 0


def test_a_full_device_is_told_and_nothing_is_left(library, libraries, write_plan, tmp_path, cuda):
    file = write_plan(tmp_path, TEXT, library)
    cuda.reset(most=16)
    with pytest.raises(BackendError, match=r"(?i)out.of.memory"):
        OPEN[library](file)
    assert cuda.live == 0


def test_what_the_library_refuses_is_told_with_its_reason(library, libraries, write_plan, tmp_path, cuda):
    file = write_plan(tmp_path, TEXT, library, plan=b"no engine at all")
    with pytest.raises(BackendError, match=r"refuses the engine \(Magic tag does not match\).*warmup"):
        OPEN[library](file)
    assert cuda.live == 0


def test_what_rtx_says_beforehand_is_told(libraries, write_plan, tmp_path):
    file = write_plan(tmp_path, TEXT, "tensorrt-rtx", plan=b"other card")
    with pytest.raises(BackendError, match=r"does not run here \(unsupported cc\)"):
        open_tensorrt_rtx(file)


def test_copies_wait_for_the_stream(cuda):
    memory = DriverMemory()
    with memory.current():
        address, out, back = memory.allocate(4), memory.pinned(4), memory.pinned(4)
        out[:] = 7
        memory.upload(address, out)
        memory.download(back, address)
        assert not (back == 7).any()
        memory.synchronise()
        assert (back == 7).all()
    memory.close()
    memory.close()
    assert cuda.live == 0
