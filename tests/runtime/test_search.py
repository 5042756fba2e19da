import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.probe import Probe, suspicion
from edge_retrieve.runtime.search import search

NODULE = "There is a nodule in the right upper lung zone."
MASS = "Large mass in the left lower lung zone."
ZONES = Region.RIGHT_UPPER_LUNG_ZONE, Region.LEFT_LOWER_LUNG_ZONE


@pytest.fixture
def filled(store, maker):
    images = [maker.image(f"s{n}") for n in range(300)]
    reports = [maker.report(f"s{n}", NODULE if n % 3 else MASS) for n in range(0, 300, 2)]
    store.add(images, reports)
    return store


def oracle(store, probes, modalities):
    """The documented score of every study, written as loops over dictionaries."""
    studies = sorted({int(n) for n in store.vectors(Modality.IMAGE, None).studies})
    total = dict.fromkeys(studies, 0.0)
    for probe in probes:
        sides, asked = [], probe.vector.astype(np.float64)
        if probe.region is not None:
            usual = store.vectors(Modality.IMAGE, probe.region).rows.astype(np.float64)
            asked = asked - 0.5 * usual.sum(axis=0) / (len(usual) + 50)
        for modality in modalities:
            held = store.vectors(modality, probe.region)
            if len(held.rows):
                cosines = held.rows.astype(np.float64) @ asked
                sides.append((dict(zip(held.studies.tolist(), cosines, strict=True)), cosines.mean()))
        for study in studies:
            parts = [known.get(study, mean) for known, mean in sides]
            total[study] += sum(parts) / len(parts) / len(probes)
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))


@pytest.mark.parametrize("modalities", [(Modality.IMAGE,), (Modality.TEXT,), (Modality.IMAGE, Modality.TEXT)])
@pytest.mark.parametrize("regions", [(None,), (Region.CARINA,), ZONES[:1], ZONES])
def test_ranking_equals_the_documented_score(filled, maker, modalities, regions):
    index = Index(filled)
    held = {region for region in regions if Modality.IMAGE in modalities or region is not Region.CARINA}
    if not held:
        pytest.skip("no report speaks of the carina")
    for _ in range(10):
        probes = [Probe(region, maker.rows(2).mean(axis=0)) for region in regions]
        ranked = search(index, probes, 5, modalities=modalities)
        wanted = dict(oracle(filled, probes, modalities))
        np.testing.assert_allclose(ranked.scores, [wanted[s] for s in ranked.studies.tolist()], atol=1e-5)
        best = [study for study, _ in oracle(filled, probes, modalities)]
        if modalities == (Modality.TEXT,):
            # Only studies with something to compare are proposed.
            speaking = {s for r in regions for s in filled.vectors(Modality.TEXT, r).studies.tolist()}
            best = [study for study in best if study in speaking]
        assert ranked.studies.tolist() == best[:5]


def test_what_a_study_lacks_is_not_a_number(filled, maker):
    probes = [Probe(region, maker.rows(1)[0]) for region in ZONES]
    ranked = search(Index(filled), probes, 300, modalities=(Modality.TEXT,))
    for study, row in zip(ranked.studies, ranked.by_probe, strict=True):
        speaks = [study in filled.vectors(Modality.TEXT, region).studies for region in ZONES]
        assert (~np.isnan(row)).tolist() == speaks
        assert any(speaks)


def test_excluded_studies_do_not_cost_hits(filled, maker):
    probe = Probe(None, maker.rows(1)[0])
    index = Index(filled)
    first = search(index, [probe], 150)
    rest = search(index, [probe], 10, exclude=frozenset(first.studies.tolist()))
    assert len(rest.studies) == 10
    assert not set(rest.studies.tolist()) & set(first.studies.tolist())


def test_nothing_to_search_gives_nothing(store, maker):
    assert len(search(Index(store), [Probe(None, maker.rows(1)[0])], 5).studies) == 0
    assert len(search(Index(store), [], 5).studies) == 0


def test_equal_scores_come_in_the_order_stored(store, maker):
    image = maker.image("s0")
    store.add([image, *(maker.image(f"s{n}", encoding=image.encoding) for n in range(1, 6))], [])
    ranked = search(Index(store), [Probe(None, image.encoding.global_embedding)], 4)
    assert ranked.studies.tolist() == [store.study_number(f"s{n}") for n in range(4)]


def test_a_query_unsure_between_normal_and_a_finding_finds_the_finding(store, maker):
    normal, finding, _ = np.linalg.qr(maker.rows(3).T)[0].T.astype(np.float32)
    unsure = (normal + 0.9 * finding) / np.float32(np.hypot(1.0, 0.9))
    usual = (95 * normal + 5 * finding) / np.float32(100)
    asked = suspicion(unsure, usual, 100)
    assert unsure @ normal > unsure @ finding
    assert asked @ finding > asked @ normal
    assert np.array_equal(suspicion(unsure, usual, 0), unsure), "no case, no norm"
