"""Graphs of a bundle compiled into engines, by TensorRT or TensorRT for RTX."""
