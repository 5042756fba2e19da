"""Further forms of a bundle, made from its own graphs: neither a checkpoint is needed nor PyTorch."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import onnx

from edge_retrieve.export.folders import check_unused, write_folder
from edge_retrieve.export.forms import FormOptions, Progress, Yardstick, in_order, make_forms, write_form
from edge_retrieve.export.models import OnnxModel
from edge_retrieve.export.parity import require
from edge_retrieve.runtime.bundle import Bundle, Graph, GraphForm, Manifest, Precision, RoiAlign
from edge_retrieve.runtime.errors import ExportError
from edge_retrieve.runtime.tokenizer import TextTokenizer


def add_forms(bundle: Bundle, out: Path, options: FormOptions, progress: Progress | None = None) -> Bundle:
    """Write a bundle anew with further forms; each is held against the bundle's own float32 graphs.

    Those were held against the checkpoint when they were exported, and their figures stay in the manifest.
    The new bundle has an identifier of its own and no signature.

    Parameters
    ----------
    bundle : Bundle
        Its default graphs are float32; forms that it has already in the wanted precisions are replaced.
    out : Path
        Folder of the new bundle; must not exist, or be empty.
    options : FormOptions
        Its precisions without float32.
    progress : callable, optional
        Called with what is being done, steps done and steps in all.

    Raises
    ------
    ExportError
        `out` is in use, the bundle has no float32 graphs, or a form misses its parity bound.
    """
    check_unused(out)
    manifest = bundle.manifest
    wanted = in_order(options.precisions)
    if manifest.precision is not Precision.FP32:
        raise ExportError(
            f"its graphs compute in {manifest.precision.value}, other forms are made from float32",
            where=str(bundle.path),
            remedy="Export the checkpoint with --forms fp32 among the forms",
        )
    if Precision.FP32 in wanted:
        raise ExportError("the bundle's own graphs are its fp32 form", remedy="Leave fp32 out of --forms")
    files = {graph: bundle.file(getattr(manifest, graph.value)) for graph in Graph}
    graphs = {graph: onnx.load(str(file)) for graph, file in files.items()}
    yardstick = Yardstick(OnnxModel(files), manifest.image_size, TextTokenizer(bundle), options, progress)
    forms = []
    for form in make_forms(graphs, yardstick, options):
        require(form.parity, str(bundle.path))
        forms.append(form)
    replaced = {form.file for form in manifest.forms if form.precision in wanted}

    def fill(folder: Path) -> Manifest:
        for name in manifest.files.keys() - replaced:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.file(name), folder / name)
        written = [each for form in forms for each in write_form(form, folder, default=False)]
        kept = [form for form in manifest.forms if form.precision not in wanted]
        calibrated = next((form.calibration for form in forms if form.calibration), manifest.calibration)
        return replace(
            manifest,
            forms=(*(kept or _default_forms(manifest, graphs)), *written),
            parity=(
                *(parity for parity in manifest.parity if parity.precision not in wanted),
                *(form.parity for form in forms),
            ),
            calibration=calibrated,
        )

    return write_folder(out, fill)


def _default_forms(manifest: Manifest, graphs: dict[Graph, onnx.ModelProto]) -> list[GraphForm]:
    """Return the entries of the graphs that a manifest without forms names."""
    return [
        GraphForm(
            graph=graph,
            precision=manifest.precision,
            file=getattr(manifest, graph.value),
            opset=next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
            roi_align=RoiAlign.MATMUL if graph is Graph.REGION_ENCODER else None,
        )
        for graph, model in graphs.items()
    ]
