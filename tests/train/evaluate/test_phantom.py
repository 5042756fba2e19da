"""Retrieval figures of archives encoded by hand: known answers, naive loops, the runtime's own ranking."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Partition
from edge_retrieve.runtime.index.files import empty_vectors
from edge_retrieve.runtime.index.segment import Segment, build_segment
from edge_retrieve.runtime.probe import Probe
from edge_retrieve.runtime.query import BOTH
from edge_retrieve.runtime.search import search
from edge_retrieve.runtime.store import Vectors
from edge_retrieve.train.datasets.corpus import FINDINGS
from edge_retrieve.train.evaluate import phantom
from edge_retrieve.train.evaluate.archive import EncodedPhantoms
from edge_retrieve.train.evaluate.boxes import RegionBoxes
from edge_retrieve.train.evaluate.compare import compare
from edge_retrieve.train.evaluate.encoded import EncodedArchive
from edge_retrieve.train.evaluate.grounding import collect
from edge_retrieve.train.evaluate.phantom import evaluate_phantom, evaluate_phantoms
from edge_retrieve.train.evaluate.ranking import Direction, Form, score
from edge_retrieve.train.metrics import METRICS

DIM = 16
RIGHT, LEFT = Region.RIGHT_UPPER_LUNG_ZONE.position, Region.LEFT_UPPER_LUNG_ZONE.position
NODULE, MASS = FINDINGS.index(Finding.NODULE), FINDINGS.index(Finding.MASS)


def unit(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def make_archive(
    cases: list[tuple[int, int]],
    regions: npt.NDArray[np.float32],
    *,
    patients: npt.NDArray[np.int64] | None = None,
    silent: float = 0.0,
    seed: int = 0,
) -> EncodedArchive:
    """Return an archive of one lesion (region, finding) a study; all but `regions` is random."""
    random = np.random.default_rng(seed)
    studies, dim = len(cases), regions.shape[2]
    truth = np.zeros((studies, len(REGIONS), len(FINDINGS)), dtype=bool)
    for n, (region, finding) in enumerate(cases):
        truth[n, region, finding] = True
    has_text = random.random((studies, len(REGIONS))) >= silent
    texts = unit(random.normal(size=(studies, len(REGIONS), dim)))
    return EncodedArchive(
        patients=np.arange(studies) if patients is None else patients,
        truth=truth,
        anywhere=truth.any(axis=1),
        aside=np.zeros_like(truth),
        has_image=np.ones(studies, dtype=bool),
        has_report=np.ones(studies, dtype=bool),
        prior_regions=np.zeros((0, *regions.shape[1:]), dtype=np.float32),
        said=tuple(("",) * len(REGIONS) for _ in cases),
        written=("",) * studies,
        queries=np.array([(n, *case) for n, case in enumerate(cases)], dtype=np.int64),
        regions=regions,
        whole=unit(random.normal(size=(studies, dim))),
        region_texts=texts * has_text[:, :, None].astype(np.float32),
        has_text=has_text,
        reports=unit(random.normal(size=(studies, dim))),
    )


def random_archive(silent: float, seed: int = 3) -> EncodedArchive:
    """Return 60 studies of 40 patients, nodules and masses in two regions, embeddings without meaning."""
    random = np.random.default_rng(seed)
    cases = [(int(random.choice([RIGHT, LEFT])), int(random.choice([NODULE, MASS]))) for _ in range(60)]
    regions = unit(random.normal(size=(60, len(REGIONS), DIM)))
    return make_archive(cases, regions, patients=np.arange(60) % 40, silent=silent, seed=seed)


def as_phantoms(archive: EncodedArchive) -> EncodedPhantoms:
    """Return an archive as if rendered, its boxes all right, without phrases."""
    corners = np.tile(np.array([0.0, 0.0, 0.5, 0.5]), (len(archive), len(REGIONS), 1))
    return EncodedPhantoms(
        archive,
        archive.truth,
        RegionBoxes(corners, corners, np.ones(corners.shape[:2])),
        collect([], [], []),
    )


def evaluate(archive: EncodedArchive, monkeypatch: pytest.MonkeyPatch):
    """Return the report on an archive put in the place of rendered phantoms."""
    monkeypatch.setattr(phantom, "encode_archives", lambda *arguments: [as_phantoms(archive)])
    return evaluate_phantom(None, studies=len(archive.patients), seeds=[1]).to_json()


def test_embeddings_equal_to_the_truth_find_only_relevant_cases(monkeypatch):
    cases = [(region, finding) for region in (RIGHT, LEFT) for finding in (NODULE, MASS)] * 12
    regions = np.zeros((len(cases), len(REGIONS), len(FINDINGS) + 1), dtype=np.float32)
    regions[:, :, -1] = 1  # nothing there
    for n, (region, finding) in enumerate(cases):
        regions[n, region] = np.eye(regions.shape[2])[finding]
    report = evaluate(make_archive(cases, regions), monkeypatch)
    figures = report["retrieval"]["image_to_image"]["conditioned"]
    assert (figures["p_at_1"], figures["p_at_5"], figures["p_at_10"]) == (1.0, 1.0, 1.0)
    assert (figures["map"], figures["ndcg_at_10"]) == pytest.approx((1.0, 1.0))
    assert report["laterality_swap"] == 0.0
    # Whole-image embeddings are random here: a quarter of the candidates is relevant.
    assert 0.1 < report["retrieval"]["image_to_image"]["unconditioned"]["p_at_10"] < 0.4


def test_embeddings_that_mirror_find_only_the_other_side(monkeypatch):
    # Studies 2n and 2n + 1 have the same finding on opposite sides; each region looks as its twin does there.
    cases = [(side, NODULE) for _ in range(12) for side in (RIGHT, LEFT)]
    regions = np.zeros((len(cases), len(REGIONS), len(cases)), dtype=np.float32)
    for n in range(len(cases)):
        regions[n, :, n // 2] = 1
    report = evaluate(make_archive(cases, regions), monkeypatch)
    assert report["laterality_swap"] == 1.0
    assert report["retrieval"]["image_to_image"]["conditioned"]["p_at_1"] == 0.0


def test_a_midline_region_has_no_side_to_swap(monkeypatch):
    place, finding = Region.CARDIAC_SILHOUETTE.position, FINDINGS.index(Finding.CARDIOMEGALY)
    regions = unit(np.random.default_rng(0).normal(size=(12, len(REGIONS), DIM)))
    assert evaluate(make_archive([(place, finding)] * 12, regions), monkeypatch)["laterality_swap"] is None


def test_no_queries_is_told(monkeypatch):
    archive = replace(random_archive(0.0), queries=np.zeros((0, 3), dtype=np.int64))
    with pytest.raises(ConfigError, match="60 studies"):
        evaluate(archive, monkeypatch)


def naive_scores(archive: EncodedArchive, direction: Direction, conditioned: bool, query: int) -> list[float]:
    """Return the documented score of every study, study by study in float64; -2 for nothing to compare."""

    def image_of(n: int) -> npt.NDArray[np.float64]:
        return (archive.regions[n, region] if conditioned else archive.whole[n]).astype(np.float64)

    def text_of(n: int) -> npt.NDArray[np.float64] | None:
        if not conditioned:
            return archive.reports[n].astype(np.float64)
        return archive.region_texts[n, region].astype(np.float64) if archive.has_text[n, region] else None

    study, region, _ = archive.queries[query]
    said = archive.region_texts[study, region] if archive.has_text[study, region] else archive.reports[study]
    asked = {
        Direction.IMAGE_TO_IMAGE: image_of(study),
        Direction.IMAGE_TO_TEXT: image_of(study),
        Direction.TEXT_TO_IMAGE: said.astype(np.float64),
        Direction.IMAGE_TEXT: (image_of(study) + said) / 2,
    }[direction]
    everyone = range(len(archive.patients))
    if conditioned:  # less half of how the region usually looks, counting fifty blank cases
        usual = sum(image_of(n) for n in everyone) / (len(everyone) + 50)
        asked = asked - 0.5 * usual
    by_image = [float(image_of(n) @ asked) for n in everyone]
    by_text = [None if (text := text_of(n)) is None else float(text @ asked) for n in everyone]
    if direction in (Direction.IMAGE_TO_IMAGE, Direction.TEXT_TO_IMAGE):
        return by_image
    if direction is Direction.IMAGE_TO_TEXT:
        return [-2.0 if each is None else each for each in by_text]
    spoken = [each for each in by_text if each is not None]
    if not spoken:
        return by_image
    expected = sum(spoken) / len(spoken)
    return [
        (image + (expected if text is None else text)) / 2
        for image, text in zip(by_image, by_text, strict=True)
    ]


def naive_figures(archive: EncodedArchive, direction: Direction, conditioned: bool) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for query, (study, region, finding) in enumerate(archive.queries):
        scores = naive_scores(archive, direction, conditioned, query)
        others = [n for n in range(len(scores)) if archive.patients[n] != archive.patients[study]]
        order = sorted(others, key=lambda n: -scores[n])
        relevant = [bool(archive.truth[n, region, finding]) for n in order]
        for k in (1, 5, 10):
            found[f"p_at_{k}"].append(sum(relevant[:k]) / k)
            found[f"r_at_{k}"].append(sum(relevant[:k]) / sum(relevant))
            if k > 1:
                found[f"hit_at_{k}"].append(float(any(relevant[:k])))
        precisions = [sum(relevant[: rank + 1]) / (rank + 1) for rank, hit in enumerate(relevant) if hit]
        found["map"].append(sum(precisions) / len(precisions))
        gain = sum(1 / np.log2(rank + 2) for rank, hit in enumerate(relevant[:10]) if hit)
        ideal = sum(1 / np.log2(rank + 2) for rank in range(min(10, sum(relevant))))
        found["ndcg_at_10"].append(gain / ideal)
    return {name: sum(values) / len(values) for name, values in found.items()}


@pytest.mark.parametrize("silent", [0.0, 0.6, 1.0])
def test_figures_equal_a_naive_loop(monkeypatch, silent):
    archive = random_archive(silent)
    retrieval = evaluate(archive, monkeypatch)["retrieval"]
    assert set(retrieval) == {direction.value for direction in Direction}
    for direction in Direction:
        for form in ("conditioned", "unconditioned"):
            expected = naive_figures(archive, direction, form == "conditioned")
            assert retrieval[direction.value][form] == pytest.approx(expected, abs=1e-9), (direction, form)


def test_models_are_compared_on_the_same_queries(monkeypatch):
    random = random_archive(0.0)
    perfect = np.zeros((60, len(REGIONS), len(FINDINGS) + 1), dtype=np.float32)
    perfect[..., -1] = 1
    for study, region, finding in np.argwhere(random.truth):
        perfect[study, region] = np.eye(perfect.shape[2])[finding]
    cases = [(int(region), int(finding)) for _, region, finding in random.queries]
    good = make_archive(cases, perfect, patients=random.patients)
    encoded = [as_phantoms(good), as_phantoms(random)]
    monkeypatch.setattr(phantom, "encode_archives", lambda *arguments: encoded)
    reports = dict(
        zip(("good", "random"), evaluate_phantoms([None, None], studies=60, seeds=[1]), strict=True)
    )
    rows = {(row["direction"], row["form"]): row for row in compare(reports, "good")}
    (gap,) = [rows["image_to_image", "conditioned"]["reference_minus"]["p_at_5"]]
    figures = [
        report.seeds[0].figure(Direction.IMAGE_TO_IMAGE, Form.CONDITIONED) for report in reports.values()
    ]
    assert figures[0] == 1.0
    assert gap["difference"] == pytest.approx(figures[0] - figures[1])
    assert 0 < gap["interval"][0] <= gap["difference"] <= gap["interval"][1]
    with pytest.raises(ConfigError, match="no report of better"):
        compare(reports, "better")
    other = dict(reports, other=evaluate_phantoms([None, None], studies=61, seeds=[1])[0])
    with pytest.raises(ConfigError, match="different archives"):
        compare(other, "good")


@dataclass(frozen=True)
class ArchiveIndex:
    """The partitions that a store with the archive's embeddings would have."""

    archive: EncodedArchive

    def deleted(self) -> frozenset[int]:
        return frozenset()

    def partition(self, modality: Modality, region: Region | None) -> Partition:
        archive = self.archive
        held = np.ones(len(archive.patients), dtype=bool)
        if region is None:
            rows = archive.whole if modality is Modality.IMAGE else archive.reports
        elif modality is Modality.IMAGE:
            rows = archive.regions[:, region.position]
        else:
            rows, held = archive.region_texts[:, region.position], archive.has_text[:, region.position]
        studies = np.flatnonzero(held).astype(np.int64)
        segment = build_segment(Vectors(studies, studies, rows[held]))
        return Partition(segment, Segment(empty_vectors(rows.shape[1])), 0, 0)


SEARCHED = {
    Direction.IMAGE_TO_IMAGE: (Modality.IMAGE,),
    Direction.TEXT_TO_IMAGE: (Modality.IMAGE,),
    Direction.IMAGE_TO_TEXT: (Modality.TEXT,),
    Direction.IMAGE_TEXT: BOTH,
}


@pytest.mark.parametrize("silent", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("direction", list(Direction))
def test_scores_equal_the_runtimes(direction, form, silent):
    conditioned = form is Form.CONDITIONED
    archive = random_archive(silent)
    index = ArchiveIndex(archive)
    for query, (study, region, _) in enumerate(archive.queries[:10]):
        image = archive.regions[study, region] if conditioned else archive.whole[study]
        spoken = archive.has_text[study, region]
        text = archive.region_texts[study, region] if spoken else archive.reports[study]
        asked = {
            Direction.IMAGE_TO_IMAGE: image,
            Direction.IMAGE_TO_TEXT: image,
            Direction.TEXT_TO_IMAGE: text,
            Direction.IMAGE_TEXT: np.mean([image, text], axis=0),
        }[direction]
        probe = Probe(REGIONS[region] if conditioned else None, asked)
        ranked = search(index, [probe], len(archive.patients), modalities=SEARCHED[direction])
        scores = score(archive, direction, form, np.array([query]), region)[0]
        compared = np.flatnonzero(scores > -2)
        assert set(ranked.studies.tolist()) == set(compared.tolist())
        np.testing.assert_allclose(scores[ranked.studies], ranked.scores, atol=1e-6)
