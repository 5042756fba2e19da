"""Light runtime: pixels to embeddings to location-conditioned hits, with no torch and no transformers."""
