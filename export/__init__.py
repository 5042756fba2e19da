"""From a checkpoint to the ONNX graphs and the bundle that the runtime loads."""
