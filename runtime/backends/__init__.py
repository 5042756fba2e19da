"""Inference engines behind one interface."""

from edge_retrieve.runtime.backends.base import Backend, Runner, TensorSpec
from edge_retrieve.runtime.backends.opening import BundleGraphs, open_graphs
from edge_retrieve.runtime.backends.resolution import Refusal, Resolution

__all__ = ["Backend", "BundleGraphs", "Refusal", "Resolution", "Runner", "TensorSpec", "open_graphs"]
