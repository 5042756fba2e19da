"""From a checkpoint to the ONNX graphs and the bundle that the runtime loads."""

import edge_retrieve.runtime  # noqa: F401  # it silences ONNX Runtime, which modules here import by themselves
