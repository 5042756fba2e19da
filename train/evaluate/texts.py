"""Reports as embeddings: whole, and region by region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.encoder import FloatArray
from edge_retrieve.runtime.reports import parse_report, text_by_region
from edge_retrieve.train.evaluate.encoded import StudyEncoder


@dataclass(frozen=True)
class EncodedReports:
    """Reports, encoded; row n of each is report n. The fields are those of `EncodedArchive`."""

    region_texts: FloatArray
    has_text: npt.NDArray[np.bool_]
    reports: FloatArray
    has_report: npt.NDArray[np.bool_]
    said: tuple[tuple[str, ...], ...]
    written: tuple[str, ...]


def encode_reports(encoder: StudyEncoder, written: Sequence[str]) -> EncodedReports:
    """Encode reports as ingest does; each different text is encoded once.

    Parameters
    ----------
    encoder : StudyEncoder
    written : sequence of str
        A blank one is a study without a report.
    """
    parts = [text_by_region(parse_report(text)) if text.strip() else {} for text in written]
    said = tuple(tuple(part.get(region, "") for region in REGIONS) for part in parts)
    wanted = sorted(
        {text for text in written if text.strip()} | {text for row in said for text in row if text}
    )
    vectors = encoder.encode_texts(wanted) if wanted else np.zeros((0, encoder.embedding_dim), np.float32)
    encoded = dict(zip(wanted, vectors, strict=True))
    region_texts = np.zeros((len(written), len(REGIONS), encoder.embedding_dim), dtype=np.float32)
    reports = np.zeros((len(written), encoder.embedding_dim), dtype=np.float32)
    for n, (text, row) in enumerate(zip(written, said, strict=True)):
        if text in encoded:
            reports[n] = encoded[text]
        for place, part in enumerate(row):
            if part:
                region_texts[n, place] = encoded[part]
    return EncodedReports(
        region_texts=region_texts,
        has_text=np.array([[bool(part) for part in row] for row in said]).reshape(len(written), len(REGIONS)),
        reports=reports,
        has_report=np.array([text in encoded for text in written], dtype=bool),
        said=said,
        written=tuple(written),
    )
