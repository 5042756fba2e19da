"""Which of a bundle's forms is opened."""

from __future__ import annotations

from enum import Enum

from edge_retrieve.runtime.bundle.manifest import Graph, Manifest, Precision
from edge_retrieve.runtime.errors import BundleError


class PrecisionChoice(str, Enum):
    """The form that is asked for. `AUTO` takes the one that suits the engine."""

    AUTO = "auto"
    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


def form_file(
    manifest: Manifest,
    graph: Graph,
    choice: PrecisionChoice = PrecisionChoice.AUTO,
    *,
    suits: Precision | None = None,
) -> str:
    """Return the file of a graph in the form that is asked for.

    Parameters
    ----------
    manifest : Manifest
    graph : Graph
    choice : PrecisionChoice
    suits : Precision, optional
        What `PrecisionChoice.AUTO` takes where the bundle has it and it kept its bounds; the default form
        otherwise. In ONNX Runtime on a CPU nothing else suits: float16 is computed as float32 there, with
        more casts, and int8 saturates on processors without dot-product instructions.

    Raises
    ------
    BundleError
        The bundle has no form of that precision.
    """
    files = {form.precision: form.file for form in manifest.forms if form.graph is graph}
    files[manifest.precision] = getattr(manifest, graph.value)
    if choice is PrecisionChoice.AUTO:
        proved = {parity.precision for parity in manifest.parity if parity.passed}
        wanted = suits if suits in files and suits in proved else manifest.precision
        return files[wanted]
    precision = Precision(choice.value)
    if precision not in files:
        present = ", ".join(known.value for known in Precision if known in files)
        raise BundleError(
            f"the bundle holds no {precision.value} form of {graph.value} (it holds {present})",
            where=f"--precision {choice.value}",
            remedy="Make it with: edge-retrieve export forms BUNDLE --out DIR",
        )
    return files[precision]
