"""From a checkpoint to a bundle: three checked ONNX graphs, the tokenizer and the manifest."""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch

from edge_retrieve.export.graphs import Graph, build_graphs, feature_channels
from edge_retrieve.export.parity import measure_parity
from edge_retrieve.export.storage import store_small
from edge_retrieve.runtime.bundle import Bundle, Manifest, inspect_bundle, write_bundle
from edge_retrieve.runtime.errors import ExportError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.checkpoint import TrainedModel, load_trained

OPSET = 18


def export_bundle(
    checkpoint: Path,
    out: Path,
    *,
    model_id: str = "rra-vl",
    training_data: str = "",
    evaluation: Mapping[str, float] | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> Bundle:
    """Export a checkpoint as a bundle, and prove that its graphs compute what the checkpoint does.

    Weights are stored in float16, the largest kernels in int8 with a scale for each output, and computed in
    float32: that is a third of what a hospital would carry in otherwise.

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

    Raises
    ------
    TrainingError
        The checkpoint does not read.
    ExportError
        `out` is in use, a graph fails its checks, or parity misses its bound.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError("the folder is not empty", where=str(out), remedy="Choose another or remove it")
    trained = load_trained(checkpoint)
    data = trained.config.data
    words = training_data or f"{data.studies} synthetic phantom studies (seed {data.seed}); no real image"
    with tempfile.TemporaryDirectory(prefix="edge-retrieve-export-") as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        for graph in build_graphs(trained.model):
            write_graph(graph, folder / f"{graph.name}.onnx")
        trained.tokenizer.no_padding()
        trained.tokenizer.no_truncation()
        trained.tokenizer.save(str(folder / "tokenizer.json"))
        parity = measure_parity(trained, folder)
        if not parity:
            raise ExportError(
                f"the graphs do not compute what the checkpoint does: {parity}", where=str(checkpoint)
            )
        figures = {**parity.figures(), **(evaluation or {})}
        write_bundle(folder, _manifest(trained, model_id, words, figures, thresholds or {}))
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, out, dirs_exist_ok=True)
    return inspect_bundle(out)


def _manifest(
    trained: TrainedModel,
    model_id: str,
    training_data: str,
    evaluation: Mapping[str, float],
    thresholds: Mapping[str, float],
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
    )


def write_graph(graph: Graph, path: Path) -> None:
    """Trace, check and save one graph, its large weights stored small.

    Raises
    ------
    ExportError
        Where the tracer or the ONNX checker refuses it.
    """
    try:
        with _quiet_exporter(), torch.no_grad():
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
        model = onnx.shape_inference.infer_shapes(store_small(model))
        onnx.checker.check_model(model, full_check=True)
    except (RuntimeError, torch.onnx.OnnxExporterError, onnx.checker.ValidationError) as error:
        raise ExportError(f"the graph cannot be exported ({error})", where=graph.name) from error
    path.write_bytes(model.SerializeToString())


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
