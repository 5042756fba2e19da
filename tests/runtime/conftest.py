"""Stores filled by hand, without encoder or files, and an archive read by the toy bundle."""

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Box
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.preprocess.types import Flag, View
from edge_retrieve.runtime.reports import parse_report
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import NewEncoding, NewImage, NewReport, Store

REPORTS = (
    "The heart size is normal. There is a small nodule in the right upper lung zone.",
    "Large mass in the left lower lung zone.",
    "No pleural effusion.",
)


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


@pytest.fixture
def reports():
    """The reports of `archive`, in turn."""
    return REPORTS


@pytest.fixture(scope="module")
def encoder(toy):
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        yield encoder


@pytest.fixture(scope="module")
def archive(toy, encoder, tmp_path_factory):
    """Twelve patients whose right upper zone brightens from 0.05 to 0.95, with reports."""
    folder = tmp_path_factory.mktemp("archive")
    rows = ["file,patient,view,study"]
    for n in range(12):
        report = REPORTS[n % 3]
        toy.save(folder / "in" / f"c{n}.png", n, report, right_upper_lung_zone=0.05 + 0.9 * n / 11)
        rows.append(f"c{n}.png,p{n // 2},PA,study-{n}")
    (folder / "cases.csv").write_text("\n".join(row + ("," if i else ",notes") for i, row in enumerate(rows)))
    with Store.open(folder / "store", bundle=toy.bundle, create=True) as store:
        summary = ingest(store, encoder, [folder / "in"], reports=folder / "cases.csv")
        assert summary.accepted == 12
        yield store


@pytest.fixture
def retriever(archive, encoder):
    return Retriever(archive, encoder)


@pytest.fixture
def bright(toy, tmp_path):
    return toy.save(tmp_path / "query.png", 99, right_upper_lung_zone=0.6)
