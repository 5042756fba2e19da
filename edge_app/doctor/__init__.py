"""Is everything here that a reading room needs, and if not, what to do: ``edge-retrieve doctor``."""
