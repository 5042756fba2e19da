"""The gate of a de-identified archive: reports pass without persons; images are cleaned as they are read."""

from __future__ import annotations

from pathlib import Path

from edge_retrieve.edge_app.dicom_node.gate import OpenGate, StudyReport
from edge_retrieve.runtime.deid.deidentifier import Deidentifier


class PseudonymGate:
    """Lets images pass to `runtime.ingest`, which cleans them, and cleans reports itself.

    Parameters
    ----------
    deidentifier : Deidentifier
    """

    def __init__(self, deidentifier: Deidentifier) -> None:
        self._deidentifier = deidentifier

    def image(self, received: Path, kept: Path) -> None:
        """Give the file a second name; it is deleted as soon as it is stored."""
        OpenGate().image(received, kept)

    def report(self, report: StudyReport) -> StudyReport:
        """Return a report under its study's pseudonym, without persons."""
        study = self._deidentifier.uid(report.study) if report.study else ""
        return StudyReport(study, self._deidentifier.report(report.text, report.known))
