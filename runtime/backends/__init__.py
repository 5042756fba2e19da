"""Inference engines behind one interface."""

from edge_retrieve.runtime.backends.base import Backend, Runner, TensorSpec
from edge_retrieve.runtime.backends.opening import open_runner, resolve_backend

__all__ = ["Backend", "Runner", "TensorSpec", "open_runner", "resolve_backend"]
