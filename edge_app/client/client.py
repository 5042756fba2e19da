"""Every resource of the interface as a method that returns its shape."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.edge_app.client.connection import (
    Connection,
    Parameters,
    RefusedError,
    form_body,
    segment,
)
from edge_retrieve.edge_app.client.explaining import Explaining
from edge_retrieve.edge_app.client.pacs import Pacs
from edge_retrieve.edge_app.client.quarantine import Quarantine
from edge_retrieve.edge_app.client.shaping import decoded, shaped
from edge_retrieve.edge_app.shapes import (
    Answer,
    Archive,
    Grounded,
    GroundedText,
    JobList,
    JobShape,
    PixelFacts,
    ReadList,
    ReadShape,
    RegionList,
    StudyPage,
    StudyShape,
    UploadShape,
    VerdictList,
    VerdictShape,
)
from edge_retrieve.runtime.errors import UnreadableFileError, reason_of

_LOOK_SECONDS = 0.2


class Client(Explaining):
    """A client of one server; use it as a context manager.

    Every method may raise `UnreachableError`, where no server answers, and `RefusedError`, which says what
    the server says.

    Parameters
    ----------
    server : str
        ``http://127.0.0.1:8080``, with the root path where there is one.
    token : str
        API token; empty for none.
    timeout_s : float
        How long an answer may take.
    authorities : str
        PEM file of the authorities that may have signed the server's certificate; the system's if empty.
    """

    def __init__(
        self, server: str, *, token: str = "", timeout_s: float = 60.0, authorities: str = ""
    ) -> None:
        super().__init__(Connection(server, token, timeout_s, authorities))
        self.quarantine = Quarantine(self._connection)
        self.pacs = Pacs(self._connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the archive -----------------------------------------------------------------------------

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Return once the server's model has run.

        Raises
        ------
        RefusedError
            Where that takes longer.
        """
        until = time.monotonic() + seconds
        while True:
            try:
                self._connection.ask("GET", "/readyz")
                return
            except RefusedError as problem:
                if problem.status != 503 or time.monotonic() > until:
                    raise
            time.sleep(_LOOK_SECONDS)

    def archive(self) -> Archive:
        """Return what the server holds."""
        return self._get(Archive, "/api/archive")

    def regions(self) -> RegionList:
        """Return the regions of the model."""
        return self._get(RegionList, "/api/regions")

    def studies(
        self,
        *,
        search: str = "",
        patient: str = "",
        accession: str = "",
        date_from: str | None = None,
        date_to: str | None = None,
        order: str = "newest",
        limit: int = 50,
        offset: int = 0,
    ) -> StudyPage:
        """Return a page of the worklist; dates as ``2026-01-31``."""
        asked: Parameters = {
            "search": search,
            "patient": patient,
            "accession": accession,
            "date_from": date_from,
            "date_to": date_to,
            "order": order,
            "limit": limit,
            "offset": offset,
        }
        return self._get(StudyPage, "/api/studies", asked)

    def study(self, study: str) -> StudyShape:
        """Return a study."""
        return self._get(StudyShape, f"/api/studies/{segment(study)}")

    # -- pictures: of a study by its identifier, of an upload by its shape -------------------------

    def image(
        self,
        of: str | UploadShape,
        *,
        level: float | None = None,
        window: float | None = None,
        invert: bool = False,
        side: int | None = None,
    ) -> bytes:
        """Return a picture as PNG, through a window where `level` and `window` are given."""
        asked: Parameters = {"level": level, "window": window, "invert": invert, "side": side}
        return self._connection.ask("GET", f"{_owner(of)}/image.png", asked).body

    def pixel_facts(self, of: str | UploadShape) -> PixelFacts:
        """Return what the grey values of a study or an upload mean."""
        return self._get(PixelFacts, f"{_owner(of)}/pixels.json")

    def pixels(self, of: str | UploadShape) -> npt.NDArray[np.uint16]:
        """Return the grey values of a study or an upload, shape [rows, columns]."""
        reply = self._connection.ask("GET", f"{_owner(of)}/pixels")
        size = int(reply.headers["x-rows"]), int(reply.headers["x-columns"])
        return np.frombuffer(reply.body, "<u2").reshape(size).astype(np.uint16)

    # -- asking ------------------------------------------------------------------------------------

    def encode(self, image: Path) -> UploadShape:
        """Send an image file and return where the model sees the regions.

        Raises
        ------
        UnreadableFileError
            Where the file cannot be read.
        """
        try:
            data = image.read_bytes()
        except (OSError, ValueError) as error:
            raise UnreadableFileError(
                f"the file cannot be read ({reason_of(error)})",
                where=str(image),
                remedy="Check the path",
            ) from error
        reply = self._connection.ask("POST", "/api/encode", body=form_body(data, image.name))
        return shaped(UploadShape, decoded(reply))

    def upload(self, upload: str) -> UploadShape:
        """Return what was read of an earlier upload."""
        return self._get(UploadShape, f"/api/uploads/{segment(upload)}")

    def query(self, query: Mapping[str, Any]) -> Answer:
        """Return the similar cases of a query; docs/http-api.md lists its entries."""
        return self._post(Answer, "/api/query", dict(query))

    def ground(self, of: str | UploadShape, phrase: str, regions: Sequence[str] = ()) -> Grounded:
        """Return where a phrase is on a study or an upload."""
        image = {"upload": of.upload} if isinstance(of, UploadShape) else {"study": of}
        return self._post(Grounded, "/api/ground", {**image, "phrase": phrase, "regions": list(regions)})

    def ground_report(self, of: str | UploadShape, text: str, *, maps: bool = False) -> GroundedText:
        """Return where each sentence of a report is on a study or an upload, with the maps where wanted."""
        image = {"upload": of.upload} if isinstance(of, UploadShape) else {"study": of}
        return self._post(GroundedText, "/api/ground/report", {**image, "text": text, "maps": maps})

    # -- what readers think ------------------------------------------------------------------------

    def give_feedback(self, query_id: str, study: str, verdict: str, note: str = "") -> VerdictShape:
        """Keep what a reader thinks of a hit: ``up``, ``down``, or ``none`` to take it back."""
        given = {"query_id": query_id, "study": study, "verdict": verdict, "note": note}
        return self._post(VerdictShape, "/api/feedback", given)

    def feedback(
        self, *, query_id: str = "", study: str = "", limit: int = 50, offset: int = 0
    ) -> VerdictList:
        """Return what readers thought, newest first."""
        asked: Parameters = {"query_id": query_id, "study": study, "limit": limit, "offset": offset}
        return self._get(VerdictList, "/api/feedback", asked)

    def begin_read(
        self,
        query: Mapping[str, Any],
        impression: str,
        *,
        findings: Sequence[str] = (),
        sure: float | None = None,
    ) -> ReadShape:
        """Keep an impression before the hits of a query are shown."""
        given = {"query": dict(query), "impression": impression, "findings": list(findings), "sure": sure}
        return self._post(ReadShape, "/api/reads", given)

    def reveal(self, read: str) -> Answer:
        """Return the hits of a read's query."""
        return self._post(Answer, f"/api/reads/{segment(read)}/reveal", None)

    def end_read(
        self, read: str, impression: str, *, findings: Sequence[str] = (), sure: float | None = None
    ) -> ReadShape:
        """Keep the impression after the hits."""
        given = {"impression": impression, "findings": list(findings), "sure": sure}
        return self._post(ReadShape, f"/api/reads/{segment(read)}/final", given)

    def reads(self, *, limit: int = 50, offset: int = 0) -> ReadList:
        """Return the reads, newest first."""
        return self._get(ReadList, "/api/reads", {"limit": limit, "offset": offset})

    # -- jobs --------------------------------------------------------------------------------------

    def begin_job(self, kind: str, **needs: str) -> JobShape:
        """Begin a job: ``ingest``, ``rebuild`` or ``backup``."""
        return self._post(JobShape, "/api/jobs", {"kind": kind, **needs})

    def jobs(self) -> JobList:
        """Return all jobs, newest first."""
        return self._get(JobList, "/api/jobs")

    def job(self, job: str) -> JobShape:
        """Return a job."""
        return self._get(JobShape, f"/api/jobs/{segment(job)}")

    def cancel_job(self, job: str) -> JobShape:
        """Have a job end."""
        reply = self._connection.ask("DELETE", f"/api/jobs/{segment(job)}")
        return shaped(JobShape, decoded(reply))

    def wait_for(self, job: str) -> JobShape:
        """Return a job once it has ended."""
        while (found := self.job(job)).ended is None:
            time.sleep(_LOOK_SECONDS)
        return found


def _owner(of: str | UploadShape) -> str:
    """Return the address of whose picture is meant."""
    return f"/api/studies/{segment(of)}" if isinstance(of, str) else f"/api/uploads/{segment(of.upload)}"
