"""What the benchmark of encoding is made of."""
