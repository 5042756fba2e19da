"""What `edge-retrieve bench` measures, beside the speed of graphs: search, whole queries, ingest."""
