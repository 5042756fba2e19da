"""What a pulled plug, a failing disk and a full one do to a store: made to happen, then looked at."""
