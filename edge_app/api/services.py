"""What the routes work with, made once for an application and handed to each handler."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request

from edge_retrieve.edge_app.drafting import Drafts
from edge_retrieve.edge_app.encodings import Encodings
from edge_retrieve.edge_app.feedback import Acceptances, FeedbackDatabase, Questions, Reads, Verdicts
from edge_retrieve.edge_app.jobs import Jobs
from edge_retrieve.edge_app.jobs.work import Folders
from edge_retrieve.edge_app.metrics import Metrics
from edge_retrieve.edge_app.pictures import Pictures
from edge_retrieve.edge_app.readiness import WarmUp, run_once
from edge_retrieve.edge_app.reading import ReadImage
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.turns import Turns
from edge_retrieve.edge_app.uploads import Uploads
from edge_retrieve.edge_app.workspace import Workspace

PINNED = "edge_retrieve.services"
"""Where a request's own services are in its scope (`following`)."""


@dataclass(frozen=True)
class Services:
    """What one application's handlers share. All of it may be used by several threads at once.

    Parameters
    ----------
    workspace : Workspace
        The store, the model and the retriever.
    settings : ServerSettings
    turns : Turns
        The queue for all that computes long.
    uploads : Uploads
    pictures : Pictures
    encodings : Encodings
    questions : Questions
    verdicts : Verdicts
    reads : Reads
    drafts : Drafts
    acceptances : Acceptances
    jobs : Jobs
    folders : Folders
        Where jobs may read and write.
    metrics : Metrics
    warm_up : WarmUp
    """

    workspace: Workspace
    settings: ServerSettings
    turns: Turns
    uploads: Uploads[ReadImage]
    pictures: Pictures
    encodings: Encodings
    questions: Questions
    verdicts: Verdicts
    reads: Reads
    drafts: Drafts
    acceptances: Acceptances
    jobs: Jobs
    folders: Folders
    metrics: Metrics
    warm_up: WarmUp

    @classmethod
    def of(cls, workspace: Workspace, settings: ServerSettings) -> Services:
        """Make the services of an application."""
        turns, jobs = Turns(), Jobs()
        metrics = Metrics(studies=workspace.store.count, waiting=lambda: turns.waiting, jobs=jobs.counts)
        feedback = FeedbackDatabase(workspace.store.path)
        return cls(
            workspace=workspace,
            settings=settings,
            turns=turns,
            uploads=Uploads(settings.kept_uploads),
            pictures=Pictures(workspace.store, metrics),
            encodings=Encodings(workspace.encoder, metrics),
            questions=Questions(),
            verdicts=Verdicts(feedback),
            reads=Reads(feedback),
            drafts=Drafts(),
            acceptances=Acceptances(feedback),
            jobs=jobs,
            folders=Folders(
                settings.folders_to_ingest, Path(settings.backup_folder) if settings.backup_folder else None
            ),
            metrics=metrics,
            # The encoder itself has its callers take turns.
            warm_up=WarmUp(lambda: run_once(workspace.encoder), threading.Lock()),
        )

    def of_bundle(self, workspace: Workspace) -> Services:
        """Return the services of the same application over another bundle.

        What an image was made into by the old one is left behind: pictures' encodings, and uploads, which are
        sent again.
        """
        return replace(
            self,
            workspace=workspace,
            uploads=Uploads(self.settings.kept_uploads),
            pictures=Pictures(workspace.store, self.metrics),
            encodings=Encodings(workspace.encoder, self.metrics),
            warm_up=WarmUp(lambda: run_once(workspace.encoder), threading.Lock()),
        )

    def retire(self) -> None:
        """Close what was of a bundle that is in force no more."""
        self.uploads.close()
        self.workspace.close()

    def close(self) -> None:
        """End what goes on, and delete what was kept for a while."""
        self.jobs.close()
        # The caller frees the engines next.
        self.warm_up.wait()
        self.uploads.close()


async def _services(request: Request) -> Services:
    return cast(Services, request.scope.get(PINNED) or request.app.state.services)


Use = Annotated[Services, Depends(_services)]
"""The type of a handler's parameter that gets the services: ``def study(study: str, use: Use)``."""
