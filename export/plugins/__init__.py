"""RoI-align and its mean as one CUDA kernel, and the TensorRT plugin around it.

Imports neither PyTorch nor ONNX, nor anything of CUDA until a kernel is loaded: a device that only runs an
engine needs this package, TensorRT and the driver.
"""
