"""The automatic choice falls on int8 in OpenVINO only where all that it rests on holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edge_retrieve.runtime.backends import Backend, cpu_choice, open_graphs, opening
from edge_retrieve.runtime.backends.cpu_choice import (
    offers_int8,
    require_faster,
    require_int8_products,
    require_near,
)
from edge_retrieve.runtime.bundle import (
    Bundle,
    FormParity,
    Graph,
    GraphForm,
    Manifest,
    Precision,
    PrecisionChoice,
)
from edge_retrieve.runtime.errors import BackendError
from edge_retrieve.runtime.timing import Timing


@pytest.fixture
def proved(toy) -> Manifest:
    """The toy's manifest with an int8 form, whose graphs are the same ones."""
    names = {graph: getattr(toy.bundle.manifest, graph.value) for graph in Graph}
    return replace(
        toy.bundle.manifest,
        forms=tuple(GraphForm(graph, Precision.INT8, file, 18) for graph, file in names.items()),
        parity=(FormParity(Precision.INT8, True, {"cosine_global": 0.995}, {"cosine_global": 0.99}),),
    )


@pytest.fixture
def able(tmp_path: Path) -> Path:
    return cpuinfo(tmp_path, "fpu avx2 avx512_vnni")


def cpuinfo(folder: Path, flags: str) -> Path:
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: {flags}\n")
    return path


def test_a_proved_form_is_offered(proved: Manifest) -> None:
    assert offers_int8(proved, PrecisionChoice.AUTO)
    assert offers_int8(proved, PrecisionChoice.INT8)
    assert not offers_int8(proved, PrecisionChoice.FP32)
    missed = replace(proved, parity=(replace(proved.parity[0], passed=False),))
    for without in (missed, replace(proved, parity=()), replace(proved, forms=proved.forms[:2])):
        assert not offers_int8(without, PrecisionChoice.AUTO)


def test_the_processor_must_be_able(able: Path, tmp_path: Path) -> None:
    require_int8_products(able)
    for unable in (cpuinfo(tmp_path, "fpu avx2 avx512f"), tmp_path / "nowhere"):
        with pytest.raises(BackendError, match="VNNI or AMX"):
            require_int8_products(unable)


class _Gives:
    name = "ONNX Runtime"

    def __init__(self, *embedding: float) -> None:
        self._embedding = np.asarray([embedding], np.float32)

    def run(self, inputs):
        return {"global": self._embedding}


def test_it_must_keep_its_bound_in_this_engine_too() -> None:
    require_near(_Gives(0.99, 0.05), _Gives(1.0, 0.0), {}, 0.99)
    for off in (_Gives(0.9, 0.3), _Gives(np.nan, 0.0)):
        with pytest.raises(BackendError, match=r"its cosine with ONNX Runtime is \S+, not 0\.99"):
            require_near(off, _Gives(1.0, 0.0), {}, 0.99)


def clock(monkeypatch: pytest.MonkeyPatch, int8: float, other: float) -> None:
    """Let the two take so many milliseconds: the real clock of a busy machine would decide now so, now so."""
    took = {"int8": Timing(int8, int8, int8, 5), "other": Timing(other, other, other, 5)}
    monkeypatch.setattr(
        cpu_choice, "take_turns", lambda cases, runs, warm_up: {name: took[name] for name in cases}
    )


def test_it_must_be_clearly_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 8.0, 10.0)
    require_faster(_Gives(), _Gives(), {})
    clock(monkeypatch, 8.1, 10.0)
    with pytest.raises(BackendError, match=r"int8 takes 8\.1 ms an image in it, ONNX Runtime 10\.0 ms"):
        require_faster(_Gives(), _Gives(), {})


IN_OPENVINO = 2  # graphs: ONNX Runtime probes boxes


@pytest.fixture
def chosen(toy, proved: Manifest, able: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The automatic choice on an able processor, with a made OpenVINO whose speed can be set."""
    state = SimpleNamespace(
        factor=1.0, closed=0, bundle=Bundle(toy.bundle.path, proved, toy.bundle.bundle_id)
    )
    plain = opening.OnnxRuntimeRunner

    class Vino(plain):
        def __init__(self, graph, *, threads=None):
            super().__init__(graph, Backend.CPU, threads=threads)
            self.name = f"OpenVINO cpu: {graph.name}"

        def run(self, inputs):
            return {name: state.factor * value for name, value in super().run(inputs).items()}

        def close(self):
            state.closed += self._session is not None
            super().close()

    monkeypatch.setattr(opening, "OpenVinoRunner", Vino)
    clock(monkeypatch, 1.0, 10.0)
    monkeypatch.setattr(cpu_choice.require_int8_products, "__defaults__", (able,))
    return state


def test_the_choice_falls_on_it_where_it_is_faster(chosen) -> None:
    with open_graphs(chosen.bundle, threads=1) as graphs:
        assert graphs.resolution.chosen is Backend.OPENVINO
        text = graphs.runners[Graph.TEXT_ENCODER]
        feeds = {"token_ids": np.ones((1, 2), np.int64), "mask": np.ones((1, 2), np.int64)}
        assert np.isfinite(text.run(feeds)["text"]).all()
        assert chosen.closed == 0
    assert chosen.closed == IN_OPENVINO


def test_and_on_onnx_runtime_where_it_is_not(chosen, monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 10.0, 10.0)
    with open_graphs(chosen.bundle, threads=1) as graphs:
        assert graphs.resolution.chosen is Backend.CPU
        reasons = dict(graphs.resolution.refused)
    assert "ms an image" in reasons[Backend.OPENVINO]
    assert chosen.closed == IN_OPENVINO


def test_nor_where_it_computes_something_else(chosen) -> None:
    chosen.factor = -1.0
    with open_graphs(chosen.bundle, threads=1) as graphs:
        assert graphs.resolution.chosen is Backend.CPU
        assert "misses its bound" in dict(graphs.resolution.refused)[Backend.OPENVINO]
    assert chosen.closed == IN_OPENVINO


def test_a_bundle_without_the_form_is_run_as_ever(toy) -> None:
    with open_graphs(toy.bundle, threads=1) as graphs:
        assert graphs.resolution.chosen is Backend.CPU
        assert Backend.OPENVINO not in dict(graphs.resolution.refused)
