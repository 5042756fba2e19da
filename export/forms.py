"""The forms of a model, each held to its bounds: float32, float16 and int8 of the same three graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from edge_retrieve.export.calibration import SAMPLES, CalibrationInputs, make_calibration
from edge_retrieve.export.float16 import float32_nodes, to_float16
from edge_retrieve.export.int8 import quantisable, restored, to_int8
from edge_retrieve.export.islands import region_heads
from edge_retrieve.export.joining import joined
from edge_retrieve.export.models import Model, OnnxModel
from edge_retrieve.export.overlap import Archive, PhantomStudies, overlap_figures
from edge_retrieve.export.parity import (
    BOUNDS,
    SMALL_WEIGHTS,
    Bounds,
    compare,
    judge,
    make_reference,
    share_of_bounds,
)
from edge_retrieve.export.probes import Tokenize, find_images, make_probes
from edge_retrieve.export.storage import store_small, widened
from edge_retrieve.runtime.bundle import Calibration, FormParity, Graph, GraphForm, Precision, RoiAlign
from edge_retrieve.train.phantom.sampling import Split, sample_archive

Graphs = Mapping[Graph, onnx.ModelProto]
Progress = Callable[[str, int, int], None]

# Of 2,000 studies, on which the bounds are stated, a release should be measured; a quarter of them tells
# whether a form holds in a quarter of the time.
OVERLAP_STUDIES = 500
_PROBE_STUDIES, _PROBE_SEED = 8, 990_001
_RANKED_ON = 4  # images and texts that single layers are compared on


@dataclass(frozen=True)
class FormOptions:
    """Which forms are made, and what they are proved on.

    Parameters
    ----------
    precisions : tuple of Precision
        The most exact one is the default form.
    small : bool
        Store the weights of the float32 graphs in one or two bytes each.
    images : tuple of Path
        Image files or folders to compare on beside phantoms.
    calibrate_on : tuple of Path
        Image files or folders that the ranges of int8 are set on; phantoms where empty.
    calibration_samples : int
        Images at most.
    overlap_studies : int
        Phantoms of the archive that the ten nearest cases are compared on; 0 leaves that out.
    """

    precisions: tuple[Precision, ...] = tuple(Precision)
    small: bool = False
    images: tuple[Path, ...] = ()
    calibrate_on: tuple[Path, ...] = ()
    calibration_samples: int = SAMPLES
    overlap_studies: int = OVERLAP_STUDIES


@dataclass(frozen=True)
class Form:
    """The three graphs in one precision, and how near they compute.

    Parameters
    ----------
    precision : Precision
    graphs : mapping of Graph to onnx.ModelProto
    parity : FormParity
        Not true where a bound was missed.
    calibration : Calibration, optional
        Of int8.
    """

    precision: Precision
    graphs: Graphs
    parity: FormParity
    calibration: Calibration | None = None


class Yardstick:
    """A reference, computed once, that every form is held against.

    Parameters
    ----------
    reference : Model
    size : int
        Side of the model's square, pixels.
    tokenize : callable
    options : FormOptions
    progress : callable, optional
        Called with what is being done, steps done and steps in all.
    """

    def __init__(
        self,
        reference: Model,
        size: int,
        tokenize: Tokenize,
        options: FormOptions,
        progress: Progress | None = None,
    ) -> None:
        self.size, self.tokenize, self.model = size, tokenize, reference
        plan = sample_archive(_PROBE_STUDIES, _PROBE_SEED, split=Split.TEST)
        images = find_images(options.images)
        self.reference = make_reference(reference, make_probes(size, tokenize, plan, images))
        few = make_probes(size, tokenize, plan[:_RANKED_ON])
        self._few = make_reference(reference, few)
        self._studies: PhantomStudies | None = None
        self._archive: Archive | None = None
        if options.overlap_studies:

            def rendered(done: int, total: int) -> None:
                if progress:
                    progress("Rendering phantoms to search", done, total)

            self._studies = PhantomStudies(options.overlap_studies, size, tokenize, rendered)
            self._archive = self._studies.encode(reference)

    def judge(self, precision: Precision, graphs: Graphs, bounds: Bounds) -> FormParity:
        """Return whether graphs keep their bounds; searches are compared only once cosines hold."""
        model = OnnxModel(graphs)
        parity = judge(precision, compare(self.reference, model), bounds)
        if not parity or self._studies is None or self._archive is None:
            return parity
        overlap = overlap_figures(self._archive, self._studies.encode(model))
        return judge(precision, {**parity.figures, **overlap}, bounds)

    def loss(self, precision: Precision, model: Model) -> float:
        """Return how much of the room that the bounds leave a model uses up on a few probes."""
        return share_of_bounds(judge(precision, compare(self._few, model), BOUNDS[precision]))


def make_forms(graphs: Graphs, yardstick: Yardstick, options: FormOptions) -> Iterator[Form]:
    """Make the forms one after the other; each is yielded whether it keeps its bounds or not.

    Parameters
    ----------
    graphs : mapping of Graph to onnx.ModelProto
        float32, with their weights stored in any way.
    yardstick : Yardstick
    options : FormOptions
    """
    wide = {graph: widened(model) for graph, model in graphs.items()}
    for precision in in_order(options.precisions):
        if precision is Precision.FP32:
            yield _float32(wide, yardstick, options.small)
        elif precision is Precision.FP16:
            yield _float16(wide, yardstick)
        else:
            inputs = make_calibration(
                OnnxModel(wide),
                yardstick.size,
                yardstick.tokenize,
                options.calibrate_on,
                options.calibration_samples,
            )
            yield _int8(wide, yardstick, inputs)


def in_order(precisions: Sequence[Precision]) -> tuple[Precision, ...]:
    """Return precisions without repetition, the most exact first: it is the default form of a bundle."""
    return tuple(precision for precision in Precision if precision in precisions)


def write_form(form: Form, folder: Path, default: bool) -> tuple[GraphForm, ...]:
    """Write a form's graphs into a folder and return how the manifest names them.

    Parameters
    ----------
    form : Form
    folder : Path
    default : bool
        Whether these are the graphs that are opened where nobody asks for a form; their names are plain.
    """
    written = []
    for graph, model in form.graphs.items():
        file = f"{graph.value}.onnx" if default else f"{graph.value}.{form.precision.value}.onnx"
        (folder / file).write_bytes(model.SerializeToString())
        written.append(
            GraphForm(
                graph=graph,
                precision=form.precision,
                file=file,
                opset=next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
                roi_align=RoiAlign.MATMUL if graph is Graph.REGION_ENCODER else None,
                float32_islands=_islands(form.precision, model),
            )
        )
    return tuple(written)


def _islands(precision: Precision, model: onnx.ModelProto) -> tuple[str, ...]:
    if precision is Precision.FP16:
        return float32_nodes(model)
    if precision is Precision.INT8:
        # All but the quantised layers; only the layers among them are worth naming.
        quantised = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
        return tuple(
            node.name
            for node in model.graph.node
            if node.op_type in ("Conv", "Gemm", "MatMul") and not quantised.issuperset(node.input[:2])
        )
    return ()


def _float32(wide: Graphs, yardstick: Yardstick, small: bool) -> Form:
    graphs = {graph: store_small(model) if small else model for graph, model in wide.items()}
    graphs = {graph: onnx.shape_inference.infer_shapes(model) for graph, model in graphs.items()}
    bounds = SMALL_WEIGHTS if small else BOUNDS[Precision.FP32]
    return Form(Precision.FP32, graphs, yardstick.judge(Precision.FP32, graphs, bounds))


def _float16(wide: Graphs, yardstick: Yardstick) -> Form:
    """Keep what stands behind region pooling in float32 only where the bounds are missed without."""
    bounds = BOUNDS[Precision.FP16]
    graphs = {graph: to_float16(model) for graph, model in wide.items()}
    parity = yardstick.judge(Precision.FP16, graphs, bounds)
    if not parity:
        graphs = {graph: to_float16(model, keep=region_heads(model.graph)) for graph, model in wide.items()}
        parity = yardstick.judge(Precision.FP16, graphs, bounds)
    return Form(Precision.FP16, graphs, parity)


def _int8(wide: Graphs, yardstick: Yardstick, inputs: CalibrationInputs) -> Form:
    """Leave the layers that lose most in float32, ever more of them, until the bounds hold."""
    bounds = BOUNDS[Precision.INT8]
    wide = {graph: onnx.shape_inference.infer_shapes(joined(model)) for graph, model in wide.items()}
    full = {graph: to_int8(model, inputs.feeds[graph]) for graph, model in wide.items()}
    parity = yardstick.judge(Precision.INT8, full, bounds)
    graphs: Graphs = full
    if not parity:
        ranking = _ranked(wide, full, yardstick)
        count = 1
        while not parity and count < len(ranking):
            graphs = _without(wide, full, ranking[:count])
            parity = yardstick.judge(Precision.INT8, graphs, bounds)
            count *= 2
    return Form(Precision.INT8, graphs, parity, inputs.described)


def _ranked(wide: Graphs, full: Graphs, yardstick: Yardstick) -> list[tuple[Graph, str]]:
    """Return the quantised layers, the one first that costs most when it alone is quantised."""
    layers = [(graph, name) for graph, model in wide.items() for name in quantisable(model)]
    exact = OnnxModel(wide)
    losses = {}
    for graph, name in layers:
        others = frozenset(other for where, other in layers if where is graph and other != name)
        alone = exact.replaced({graph: restored(full[graph], wide[graph], others)})
        losses[graph, name] = yardstick.loss(Precision.INT8, alone)
    return sorted(layers, key=lambda layer: -losses[layer])


def _without(wide: Graphs, full: Graphs, layers: Sequence[tuple[Graph, str]]) -> Graphs:
    return {
        graph: restored(model, wide[graph], frozenset(name for where, name in layers if where is graph))
        for graph, model in full.items()
    }
