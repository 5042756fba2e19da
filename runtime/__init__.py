"""Light runtime: pixels to embeddings to location-conditioned hits, with no torch and no transformers."""

import os

# Before ONNX Runtime is first imported, which reads this then: from 1.29 on its packages for Linux report
# their use to their maker, over the network and by an identifier in the user's cache. Nothing here may.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
