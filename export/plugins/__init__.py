"""RoI-align and its mean as one CUDA kernel: its source, and compiling it ahead of time.

The plugin that launches it is `edge_retrieve.runtime.backends.plugins`.
"""
