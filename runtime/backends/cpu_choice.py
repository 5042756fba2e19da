"""Whether int8 in OpenVINO is the better choice on this CPU: the bundle, the processor and the clock say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edge_retrieve.runtime.backends.base import Array, Runner
from edge_retrieve.runtime.bundle import Graph, Manifest, Precision, PrecisionChoice
from edge_retrieve.runtime.errors import BackendError
from edge_retrieve.runtime.timing import take_turns

# Linux's names of the instructions that multiply 8-bit integers and add in 32 bits: VNNI and AMX. Without
# them such sums are kept in 16 bits on the way and saturate: other numbers than the parity figures are of.
_PRODUCTS = frozenset(("avx512_vnni", "avx_vnni", "amx_int8"))
_WHERE = "backend openvino"
# An int8 form ranks an archive a little differently; a few per cent of time are not worth that, and a choice
# that hangs by them would be another one at the next start.
_WORTH = 1.25
_RUNS = 5


def offers_int8(manifest: Manifest, precision: PrecisionChoice) -> bool:
    """Return whether a bundle has an int8 form that kept its bounds, and nothing else was asked for."""
    held = {form.graph for form in manifest.forms if form.precision is Precision.INT8}
    kept = any(parity.precision is Precision.INT8 and parity.passed for parity in manifest.parity)
    asked = precision in (PrecisionChoice.AUTO, PrecisionChoice.INT8)
    return asked and kept and held == set(Graph)


def require_int8_products(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Raise `BackendError` where the processor cannot multiply 8-bit integers without saturating.

    Parameters
    ----------
    cpuinfo : Path
        Where the processor's abilities stand.
    """
    if not _flags(cpuinfo) & _PRODUCTS:
        raise BackendError("this processor has no products of 8-bit integers (VNNI or AMX)", where=_WHERE)


def noise_image(manifest: Manifest) -> dict[str, Array]:
    """Return an image of noise as the image encoder takes it: every layer has something to round."""
    shape = (1, 1, manifest.image_size, manifest.image_size)
    return {"pixels": np.random.default_rng(0).random(shape, dtype=np.float32)}


def asked_cosine(manifest: Manifest) -> float:
    """Return the bound of the cosine of whole images that the int8 form was held to; 1 where it had none."""
    bounds = [parity.bounds for parity in manifest.parity if parity.precision is Precision.INT8]
    return bounds[0].get("cosine_global", 1.0) if bounds else 1.0


def require_near(int8: Runner, other: Runner, inputs: Mapping[str, Array], least: float) -> None:
    """Raise `BackendError` where int8 is further from the default form than its bound allows.

    The parity of a manifest is of ONNX Runtime; another engine rounds elsewhere.

    Parameters
    ----------
    int8, other : Runner
        The image encoder.
    inputs : mapping of str to array
        One image.
    least : float
        Smallest cosine of its embeddings.
    """
    one, two = (runner.run(inputs)["global"].astype(np.float64).ravel() for runner in (int8, other))
    cosine = float(one @ two / max(np.linalg.norm(one) * np.linalg.norm(two), 1e-12))
    if not cosine >= least:
        raise BackendError(
            f"int8 misses its bound in it: its cosine with {other.name} is {cosine:.4f}, not {least}",
            where=_WHERE,
        )


def require_faster(int8: Runner, other: Runner, inputs: Mapping[str, Array]) -> None:
    """Raise `BackendError` where int8 is not clearly faster; the two take turns.

    Parameters
    ----------
    int8, other : Runner
        The image encoder.
    inputs : mapping of str to array
        One image.
    """
    took = take_turns(
        {"int8": lambda: int8.run(inputs), "other": lambda: other.run(inputs)}, _RUNS, warm_up=1
    )
    if took["int8"].p50_ms * _WORTH > took["other"].p50_ms:
        raise BackendError(
            f"int8 takes {took['int8'].p50_ms:.1f} ms an image in it,"
            f" {other.name} {took['other'].p50_ms:.1f} ms",
            where=_WHERE,
        )


def _flags(cpuinfo: Path) -> frozenset[str]:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())
