"""The model: its bundle, and the engine that runs it."""

from __future__ import annotations

import time
from pathlib import Path

from edge_retrieve.edge_app.doctor.check import Check, failed_by, ok, warning
from edge_retrieve.edge_app.readiness import run_once
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.backends.gpu import find_gpu
from edge_retrieve.runtime.backends.resolution import ON_CPU
from edge_retrieve.runtime.bundle import Bundle, PrecisionChoice, Trust, load_bundle
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import BackendError, EdgeRetrieveError


def bundle(path: Path | None, trust: Trust) -> tuple[Check, Bundle | None]:
    """Verify a bundle: every file against its manifest, and the signature."""
    try:
        found = load_bundle(path, trust)
    except EdgeRetrieveError as error:
        return failed_by("bundle", error), None
    manifest = found.manifest
    what = f"{manifest.model_id} ({found.bundle_id[:12]}), {len(manifest.files)} files as in its manifest"
    told = (f"Trained on: {manifest.training_data}",)
    if found.signed_by:
        return ok("bundle", f"{what}, signed by {found.signed_by}", told), found
    if path is None:
        return ok("bundle", f"{what}, shipped with this package", told), found
    unsigned = warning(
        "bundle",
        f"{what}, not signed",
        "Sign it ('edge-retrieve bundle sign'), and give --trusted-keys",
        told,
    )
    return unsigned, found


def engine(
    found: Bundle,
    backend: Backend,
    precision: PrecisionChoice,
    *,
    require_gpu: bool = False,
    engines: Path | None = None,
) -> Check:
    """Choose an engine as the server would, run the model once, and say why not the others."""
    try:
        with Encoder(found, backend, require_gpu, engines=engines, precision=precision) as encoder:
            run_once(encoder)
            began = time.perf_counter()
            run_once(encoder)
            seconds = time.perf_counter() - began
            name, resolution = encoder.engine, encoder.resolution
    except EdgeRetrieveError as error:
        return failed_by("engine", error)
    what = f"{name} runs an image and a text in {1000 * seconds:.0f} ms"
    refused = resolution.sentences()[1:]
    if resolution.chosen in ON_CPU and _has_gpu():
        remedy = "See docs/engines.md for what each backend needs, or start with --require-gpu to be sure"
        return warning("engine", f"{what}, though there is a GPU", remedy, refused)
    return ok("engine", what, refused)


def _has_gpu() -> bool:
    try:
        find_gpu()
    except BackendError:
        return False
    return True
