"""The TensorRT plugin that runs RoI-align and its mean as one CUDA kernel.

Imports neither PyTorch nor ONNX, nor anything of CUDA until a kernel is loaded: a device that only runs an
engine needs this package, TensorRT and the driver. `edge_retrieve.export.plugins` compiles the kernels.
"""
