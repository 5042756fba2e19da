"""RRA-VL: image tower, region localizer, RoI-align, text tower and projections."""

from edge_retrieve.train.model.rra_vl import ImageOutputs, Reading, RraVl, Sight, TextOutputs

__all__ = ["ImageOutputs", "Reading", "RraVl", "Sight", "TextOutputs"]
