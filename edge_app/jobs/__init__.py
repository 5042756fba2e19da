"""Long work that a request begins and others look at: ingest, rebuild, backup."""

from edge_retrieve.edge_app.jobs.job import Job, JobKind, JobState
from edge_retrieve.edge_app.jobs.runner import Jobs, Progress

__all__ = ["Job", "JobKind", "JobState", "Jobs", "Progress"]
