"""Training data, one module per source."""
