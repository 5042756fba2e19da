"""A case store as an encoded archive: how well the store's own cases find each other."""

from __future__ import annotations

import numpy as np

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.errors import ArchiveError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.reports import text_by_region
from edge_retrieve.runtime.store import Store
from edge_retrieve.train.datasets.corpus import FINDINGS
from edge_retrieve.train.evaluate.encoded import EncodedArchive, sample_queries

_PAGE = 500


def read_store(store: Store, *, least: int = 1) -> EncodedArchive:
    """Return a store's embeddings with the findings its reports state as truth.

    Parameters
    ----------
    store : Store
    least : int
        Relevant studies of other patients that a query needs.

    Raises
    ------
    ArchiveError
        No finding is stated in the same region of enough patients.
    """
    names = [
        summary.study
        for offset in range(0, store.count(), _PAGE)
        for summary in store.studies(limit=_PAGE, offset=offset)
    ]
    count, dim = len(names), store.embedding_dim
    truth = np.zeros((count, len(REGIONS), len(FINDINGS)), dtype=bool)
    regions = np.zeros((count, len(REGIONS), dim), dtype=np.float32)
    region_texts = np.zeros_like(regions)
    whole, reports = np.zeros((count, dim), dtype=np.float32), np.zeros((count, dim), dtype=np.float32)
    has_text = np.zeros((count, len(REGIONS)), dtype=bool)
    has_image, has_report = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    patients: dict[str, int] = {}
    numbers, said, written = [], [], []
    for n, name in enumerate(names):
        record = store.study(name)
        numbers.append(patients.setdefault(record.patient or name, len(patients)))
        spoken = text_by_region(record.parsed)
        said.append(tuple(spoken.get(region, "") for region in REGIONS))
        written.append(record.report)
        images, texts = (store.study_vectors(name, modality) for modality in (Modality.IMAGE, Modality.TEXT))
        has_image[n], has_report[n] = None in images, None in texts
        whole[n], reports[n] = images.get(None, 0.0), texts.get(None, 0.0)
        for region in REGIONS:
            place = region.position
            regions[n, place], region_texts[n, place] = images.get(region, 0.0), texts.get(region, 0.0)
            has_text[n, place] = region in texts
            for finding in record.parsed.present_findings(region):
                truth[n, place, FINDINGS.index(finding)] = True
    known = np.array(numbers, dtype=np.int64)
    queries = sample_queries(truth, np.zeros((count, len(FINDINGS)), dtype=bool), known, least)
    if not len(queries):
        raise ArchiveError(
            f"no finding is stated in the same region of {least + 1} patients",
            where=str(store.path),
            remedy="Ingest more studies with reports, or lower --min-relevant",
        )
    return EncodedArchive(
        patients=known,
        truth=truth,
        anywhere=np.asarray(truth.any(axis=1)),
        aside=np.zeros_like(truth),
        queries=queries,
        has_image=has_image,
        regions=regions,
        whole=whole,
        has_text=has_text,
        region_texts=region_texts,
        has_report=has_report,
        reports=reports,
        prior_regions=np.zeros((0, len(REGIONS), dim), dtype=np.float32),
        said=tuple(said),
        written=tuple(written),
    )
