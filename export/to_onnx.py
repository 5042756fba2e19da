"""From a checkpoint to a bundle: checked ONNX graphs in several forms, the tokenizer, the manifest."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch

from edge_retrieve.export.attention import plain_attention
from edge_retrieve.export.folders import check_unused, write_folder
from edge_retrieve.export.forms import (
    Form,
    FormOptions,
    Progress,
    Yardstick,
    in_order,
    make_forms,
    write_form,
)
from edge_retrieve.export.graphs import Graph, build_graphs, feature_channels
from edge_retrieve.export.parity import require
from edge_retrieve.export.torch_model import TorchModel
from edge_retrieve.runtime import bundle as bundles
from edge_retrieve.runtime.bundle import Bundle, GraphForm, Manifest
from edge_retrieve.runtime.errors import ExportError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.checkpoint import TrainedModel, load_trained
from edge_retrieve.train.tokenizer import tokenize

# The oldest pair that holds all of our operators (LayerNormalization is of 17, Split's form of 18). TensorRT
# 10.3 (JetPack 6) and ONNX Runtime 1.18 read up to IR 10; IR 8 came with opset 18, and more is not used.
OPSET = 18
IR_VERSION = 8


def export_bundle(
    checkpoint: Path,
    out: Path,
    *,
    model_id: str = "rra-vl",
    training_data: str = "",
    evaluation: Mapping[str, float] | None = None,
    thresholds: Mapping[str, float] | None = None,
    options: FormOptions | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Export a checkpoint as a bundle, and prove that its graphs compute what the checkpoint does.

    Parameters
    ----------
    checkpoint : Path
        A checkpoint file, or the folder that holds it.
    out : Path
        The bundle's folder; must not exist, or be empty.
    model_id : str
    training_data : str
        In words; by default what the checkpoint's configuration says.
    evaluation, thresholds : mapping of str to float, optional
        As in `Manifest`.
    options : FormOptions, optional
        Which precisions, and what they are proved on.
    progress : callable, optional
        Called with what is being done, steps done and steps in all.

    Raises
    ------
    TrainingError
        The checkpoint does not read.
    ExportError
        `out` is in use, a graph fails its checks, or a form misses its parity bound.
    """
    check_unused(out)
    chosen = options or FormOptions()
    trained = load_trained(checkpoint)
    config, data = trained.config.model, trained.config.data
    words = training_data or f"{data.studies} synthetic phantom studies (seed {data.seed}); no real image"
    graphs = {bundles.Graph(graph.name): trace_graph(graph) for graph in build_graphs(trained.model)}
    yardstick = Yardstick(
        TorchModel(trained.model),
        config.image_size,
        lambda texts: tokenize(trained.tokenizer, texts, config.max_text_tokens),
        chosen,
        progress,
    )
    forms = []
    for form in make_forms(graphs, yardstick, chosen):
        require(form.parity, str(checkpoint))
        forms.append(form)

    def fill(folder: Path) -> Manifest:
        trained.tokenizer.no_padding()
        trained.tokenizer.no_truncation()
        trained.tokenizer.save(str(folder / "tokenizer.json"))
        default = in_order(chosen.precisions)[0]
        written = [each for form in forms for each in write_form(form, folder, form.precision is default)]
        return _manifest(trained, model_id, words, evaluation or {}, thresholds or {}, forms, written)

    return write_folder(out, fill)


def _manifest(
    trained: TrainedModel,
    model_id: str,
    training_data: str,
    evaluation: Mapping[str, float],
    thresholds: Mapping[str, float],
    forms: list[Form],
    written: list[GraphForm],
) -> Manifest:
    config = trained.config.model
    return Manifest(
        model_id=model_id,
        image_size=config.image_size,
        embedding_dim=config.embedding_dim,
        feature_channels=feature_channels(trained.model),
        feature_stride=trained.model.feature_stride,
        finding_channels=tuple(finding.value for finding in Finding),
        max_text_tokens=config.max_text_tokens,
        training_data=training_data,
        evaluation=evaluation,
        thresholds=thresholds,
        precision=forms[0].precision,
        forms=tuple(written),
        parity=tuple(form.parity for form in forms),
        calibration=next((form.calibration for form in forms if form.calibration), None),
    )


def trace_graph(graph: Graph) -> onnx.ModelProto:
    """Trace and check one graph, float32.

    Raises
    ------
    ExportError
        Where the tracer or the ONNX checker refuses it.
    """
    try:
        with _quiet_exporter(), plain_attention(graph.module), torch.no_grad():
            program = torch.onnx.export(
                graph.module,
                graph.example,
                dynamo=True,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_shapes=graph.dynamic,
                opset_version=OPSET,
                verbose=False,
            )
        if program is None:
            raise ExportError("the tracer returned nothing", where=graph.name)
        model = program.model_proto
        _forget_origins(model)
        model.ir_version = IR_VERSION
        model = onnx.shape_inference.infer_shapes(model)
        onnx.checker.check_model(model, full_check=True)
    except (RuntimeError, torch.onnx.OnnxExporterError, onnx.checker.ValidationError) as error:
        raise ExportError(f"the graph cannot be exported ({error})", where=graph.name) from error
    return model


def _forget_origins(model: onnx.ModelProto) -> None:
    """Drop the tracer's notes: they name files of the exporting machine and would differ on every one."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence the exporter's notes on torchvision and on axis names; its errors still raise."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
