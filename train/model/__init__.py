"""RRA-VL: image tower, region localizer, RoI-align, text tower and projections."""

from edge_retrieve.train.model.rra_vl import ImageOutputs, RraVl, TextOutputs

__all__ = ["ImageOutputs", "RraVl", "TextOutputs"]
