"""Stores filled by hand: no encoder, no files."""

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Box
from edge_retrieve.runtime.preprocess.types import Flag, View
from edge_retrieve.runtime.reports import parse_report
from edge_retrieve.runtime.store import NewEncoding, NewImage, NewReport, Store


class Maker:
    """Makes images and reports with random unit embeddings of the toy's dimension."""

    def __init__(self, dim=8):
        self.dim = dim
        self.random = np.random.default_rng(0)

    def rows(self, count):
        rows = self.random.normal(size=(count, self.dim)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def image(self, study, *, sop=None, patient="p", lateral=False, encoding=None):
        sop = sop or f"sop-{study}"
        if encoding is None:
            encoding = NewEncoding(
                boxes=tuple(Box(n, n, n + 10.5, n + 20) for n in range(len(REGIONS))),
                box_scores=np.linspace(0, 1, len(REGIONS), dtype=np.float32),
                regions=self.rows(len(REGIONS)),
                global_embedding=self.rows(1)[0],
            )
        return NewImage(
            study=study,
            patient=patient,
            study_date="20240131",
            sex="F",
            age=61.0,
            sop_instance=sop,
            pixels_sha256=f"sha-{sop}",
            source=f"/in/{study}.dcm",
            view=View.LATERAL if lateral else View.PA,
            width=2000,
            height=2500,
            flags=(Flag.LATERAL_VIEW,) if lateral else (),
            applied=("VOI window", "inverted"),
            preview=f"png of {sop}".encode(),
            encoding=None if lateral else encoding,
        )

    def report(self, study, text):
        parsed = parse_report(text)
        regions = tuple(region for region in REGIONS if parsed.about(region))
        return NewReport(
            study=study,
            text=text,
            parsed=parsed,
            global_embedding=self.rows(1)[0],
            regions=tuple(zip(regions, self.rows(len(regions)), strict=True)),
        )


@pytest.fixture
def maker():
    return Maker()


@pytest.fixture
def store(toy, tmp_path):
    with Store.open(tmp_path / "store", bundle=toy.bundle, create=True) as store:
        yield store
