"""Evaluation: held-out phantoms, reports, regions on real X-rays."""
