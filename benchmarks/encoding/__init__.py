"""What the benchmark of encoding is made of."""

import edge_retrieve.runtime  # noqa: F401  # it silences ONNX Runtime, which is imported here by itself
