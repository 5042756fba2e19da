"""Why these cases, and what follows: evidence, altered images, drafts and their acceptance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from http import HTTPStatus
from typing import Any

from edge_retrieve.edge_app.client.asking import Asking
from edge_retrieve.edge_app.client.connection import RefusedError, json_body
from edge_retrieve.edge_app.client.shaping import parsed, shaped, unreadable
from edge_retrieve.edge_app.shapes import (
    AcceptedList,
    AcceptedShape,
    ChangeList,
    DraftError,
    DraftText,
    Explanation,
    KeptDraft,
)

_ALTERATIONS = "/api/alterations"


class Explaining(Asking):
    """The part of a client that asks for reasons; `Client` is one."""

    def explain(self, query: Mapping[str, Any]) -> Explanation:
        """Return what speaks for and against each finding, and a draft in the template's words."""
        return self._post(Explanation, "/api/explain", dict(query))

    def alterations(
        self,
        query: Mapping[str, Any],
        *,
        regions: Sequence[str] = (),
        alterations: Sequence[str] = (),
    ) -> ChangeList:
        """Return what changes when places of a query are altered.

        Parameters
        ----------
        query : mapping
            With a study or an upload.
        regions : sequence of str
            Of its places; all that were asked for, or that something is stated of, where empty.
        alterations : sequence of str
            ``blanked``, ``mirrored``; both where empty.
        """
        asked = {"query": dict(query), "regions": list(regions), "alterations": list(alterations)}
        return self._post(ChangeList, _ALTERATIONS, asked)

    def draft(
        self, query: Mapping[str, Any], *, on_text: Callable[[str], object] = lambda _: None
    ) -> KeptDraft:
        """Return a draft, of the server's language model where it has one.

        Parameters
        ----------
        query : mapping
        on_text : callable
            Told each piece that the model writes, unchecked, as it comes; what it raises stops the model.

        Raises
        ------
        RefusedError
            Where the model may not be asked.
        ShapeError
            Where the answer ends without a draft.
        """
        stream = self._connection.events("/api/draft", json_body(dict(query)))
        with closing(stream):
            for event in stream:
                told = parsed(event.data)
                if event.name == "draft":
                    return shaped(KeptDraft, told)
                if event.name == "error":
                    raise RefusedError(HTTPStatus.BAD_GATEWAY, shaped(DraftError, told).detail)
                if event.name == "text":
                    on_text(shaped(DraftText, told).text)
        raise unreadable("draft")

    def accept(self, draft: str, report: str, *, name: str, organization: str) -> AcceptedShape:
        """Keep a draft's words as a person accepts them; refused to whoever comes with a token.

        Parameters
        ----------
        draft : str
            Its name, `KeptDraft.draft`.
        report : str
            The words, changed or not.
        name : str
            ``Family^Given``.
        organization : str
        """
        given = {"draft": draft, "report": report, "name": name, "organization": organization}
        return self._post(AcceptedShape, "/api/drafts/accept", given)

    def accepted(self, *, limit: int = 50, offset: int = 0) -> AcceptedList:
        """Return the drafts that this user accepted, newest first."""
        return self._get(AcceptedList, "/api/drafts/accepted", {"limit": limit, "offset": offset})
