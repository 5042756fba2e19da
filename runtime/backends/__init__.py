"""Inference engines behind one interface."""

from edge_retrieve.runtime.backends.base import Backend, Runner, TensorSpec
from edge_retrieve.runtime.backends.opening import BundleGraphs, open_graphs
from edge_retrieve.runtime.backends.resolution import Refusal, Resolution
from edge_retrieve.runtime.backends.turns import TakingTurns

__all__ = [
    "Backend",
    "BundleGraphs",
    "Refusal",
    "Resolution",
    "Runner",
    "TakingTurns",
    "TensorSpec",
    "open_graphs",
]
