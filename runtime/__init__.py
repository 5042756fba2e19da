"""Light runtime: pixels to embeddings to location-conditioned hits. Imports neither torch nor transformers."""
