"""Procedural frontal chest X-rays with exact truth, and the reports that go with them."""
