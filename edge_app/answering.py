"""From a checked question to the answer a page can show: hits with their reports and image sizes."""

from __future__ import annotations

from edge_retrieve.edge_app.asking import Question
from edge_retrieve.edge_app.reading import ReadImage
from edge_retrieve.edge_app.shapes import HitShape, Prior, ShownHit
from edge_retrieve.edge_app.wire import iso_date, study_shape
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.errors import UnknownStudyError
from edge_retrieve.runtime.hits import RetrievalResult
from edge_retrieve.runtime.own_studies import own_studies
from edge_retrieve.runtime.query import require_frontal
from edge_retrieve.runtime.store import Store


def search(workspace: Workspace, question: Question, image: ReadImage | None) -> RetrievalResult:
    """Search the archive.

    Parameters
    ----------
    workspace : Workspace
    question : Question
    image : ReadImage or None
        The question's upload.

    Raises
    ------
    QueryError
        Where the question is empty or contradicts itself.
    UnknownStudyError
        Where the asking study is not in the store.
    """
    if question.study is not None:
        return workspace.retriever.query_study(question.study, question.query)
    if image is None:
        return workspace.retriever.query(question.query)
    require_frontal(image.radiograph, "upload")
    # Encoded when it came; a query only searches.
    return workspace.retriever.query(question.query, encoding=image.encoding, radiograph=image.radiograph)


def shown_hits(store: Store, hits: list[HitShape]) -> list[ShownHit]:
    """Add to hits what a page shows of their studies; one deleted since it was found is left out."""
    shown = []
    for hit in hits:
        try:
            study = study_shape(store.study(hit.study))
        except UnknownStudyError:
            continue
        shown.append(
            ShownHit(
                **vars(hit),
                accession=study.accession,
                date=study.date,
                sex=study.sex,
                age=study.age,
                view=study.view,
                width=study.width,
                height=study.height,
                report=study.report,
                findings=study.findings,
                flags=study.flags,
            )
        )
    return shown


def priors(
    store: Store, study: str | None, image: ReadImage | None, deidentifier: Deidentifier | None = None
) -> list[Prior]:
    """Return the other studies of the query's own patient, newest first; none where nobody is known.

    Parameters
    ----------
    store : Store
    study : str or None
        The stored study that asks.
    image : ReadImage or None
        The upload that asks.
    deidentifier : Deidentifier, optional
        Knows the upload's patient by the name that a de-identified store has.
    """
    numbers: frozenset[int] = frozenset()
    if study is not None:
        itself = frozenset({store.study_number(study)})
        numbers = store.patient_numbers(store.study(study).patient) - itself
    elif image is not None:
        every, same = (own_studies(store, image.radiograph, each, deidentifier) for each in (False, True))
        numbers = every - same
    held = store.numbered(sorted(numbers, reverse=True)).values()
    found = [Prior(prior.study, iso_date(prior.study_date)) for prior in held]
    return sorted(found, key=lambda prior: prior.date, reverse=True)
