"""From report texts to what a store keeps of them."""

from __future__ import annotations

from collections.abc import Mapping

from edge_retrieve.runtime.encoder import Encoder, FloatArray
from edge_retrieve.runtime.reports import parse_report, text_by_region
from edge_retrieve.runtime.store import NewReport

_REMEMBERED_TEXTS = 4096


class ReportEncoder:
    """Encodes reports; remembers recent sentences, for normal ones recur in report after report.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, FloatArray] = {}

    def encode(self, texts: Mapping[str, str]) -> list[NewReport]:
        """Parse and encode the reports of studies, given by study identifier."""
        parsed = {study: parse_report(text) for study, text in texts.items()}
        by_region = {study: text_by_region(report) for study, report in parsed.items()}
        wanted = dict.fromkeys(
            [*texts.values(), *(t for parts in by_region.values() for t in parts.values())]
        )
        missing = [text for text in wanted if text not in self._known]
        if len(self._known) + len(missing) > _REMEMBERED_TEXTS:
            self._known = {text: self._known[text] for text in wanted if text in self._known}
        self._known.update(zip(missing, self._encoder.encode_texts(missing), strict=True))
        return [
            NewReport(
                study=study,
                text=text,
                parsed=parsed[study],
                global_embedding=self._known[text],
                regions=tuple((region, self._known[part]) for region, part in by_region[study].items()),
            )
            for study, text in texts.items()
        ]
