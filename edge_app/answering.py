"""From a checked question to the answer a page can show: hits with their reports and image sizes."""

from __future__ import annotations

from edge_retrieve.edge_app.asking import Question
from edge_retrieve.edge_app.reading import ReadImage
from edge_retrieve.edge_app.wire import Json, result_json, study_json
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.hits import RetrievalResult
from edge_retrieve.runtime.preprocess.types import Flag

# Of each hit's study, what a page needs besides the evidence.
_SHOWN = ("date", "sex", "age", "view", "width", "height", "report", "findings", "flags")


def answer(workspace: Workspace, question: Question, image: ReadImage | None) -> Json:
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
    """
    document = result_json(_search(workspace, question, image))
    for hit in document["hits"]:
        study = study_json(workspace.store.study(hit["study"]))
        hit.update({name: study[name] for name in _SHOWN})
    return document


def _search(workspace: Workspace, question: Question, image: ReadImage | None) -> RetrievalResult:
    if question.study is not None:
        return workspace.retriever.query_study(question.study, question.query)
    if image is None:
        return workspace.retriever.query(question.query)
    if Flag.LATERAL_VIEW in image.radiograph.flags:
        raise QueryError(
            "the query image is a lateral view", where="upload", remedy="Ask with a frontal (PA or AP) image"
        )
    # Encoded when it came; a query only searches.
    return workspace.retriever.query(question.query, encoding=image.encoding, radiograph=image.radiograph)
