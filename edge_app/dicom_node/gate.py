"""The one place that an object passes before it is stored."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_retrieve.runtime.errors import EdgeRetrieveError


class RefusedError(EdgeRetrieveError):
    """The gate lets an object not pass: it goes into quarantine with this reason."""


@dataclass(frozen=True)
class StudyReport:
    """The report of a study.

    Parameters
    ----------
    study : str
        Study Instance UID; empty for that of the image it came with.
    text : str
    known : tuple of str
        Words of its file's header that name persons: what a de-identifier looks for in the text.
    """

    study: str
    text: str
    known: tuple[str, ...] = ()


class Gate(Protocol):
    """What an object passes before it is stored: a de-identifier, for example.

    Both methods give the same answer for the same input, so that an object that comes twice is known again,
    and a report finds the study of its image.
    """

    def image(self, received: Path, kept: Path) -> None:
        """Write to `kept`, which does not exist, what is to be stored of an image file.

        Raises
        ------
        RefusedError
            Where it must not be stored.
        OSError
            Where the file cannot be written; tried again later.
        """

    def report(self, report: StudyReport) -> StudyReport:
        """Return what is to be stored of a report.

        Raises
        ------
        RefusedError
            Where it must not be stored.
        """


class OpenGate:
    """Lets everything pass as it is."""

    def image(self, received: Path, kept: Path) -> None:
        """Give the file a second name, or copy it where the file system has none."""
        try:
            os.link(received, kept)
        except OSError:
            shutil.copyfile(received, kept)

    def report(self, report: StudyReport) -> StudyReport:
        """Return it as it is."""
        return report
