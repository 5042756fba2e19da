import json
from dataclasses import replace

import numpy as np
import pytest

from edge_retrieve.runtime.bundle import DEMO_BUNDLE, ScoreCalibration, ScoreCurve, Sides, load_bundle
from edge_retrieve.runtime.errors import BundleError
from edge_retrieve.runtime.explain.vote_curves import (
    SHIPPED,
    VoteCurves,
    curves_for,
    graphs_digest,
    read_curves,
)


def curves(graphs="g"):
    def calibration(*heights):
        line = ScoreCurve(Sides.IMAGE, Sides.BOTH, True, 100, (0.0, 0.5, 1.0), heights)
        return ScoreCalibration("isotonic", "by hand", 0.0, 10, (line,))

    return VoteCurves(graphs, calibration(0.2, 0.4, 1.0), calibration(0.1, 0.2, 0.9))


def test_the_shipped_curves_are_for_the_shipped_bundle():
    bundle = load_bundle(None)
    assert bundle.path == DEMO_BUNDLE
    found = curves_for(bundle)
    assert found is not None
    kinds = {(curve.asked, curve.conditioned) for curve in found.suspected.curves}
    assert kinds == {(asked, conditioned) for asked in Sides for conditioned in (True, False)}
    assert {(curve.asked, curve.conditioned) for curve in found.surveyed.curves} == {
        (asked, True) for asked in Sides
    }


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(curves().to_json()))
    assert read_curves(path) == curves()


def test_votes_are_read_off_the_line():
    votes, of = np.array([-1.0, 0.25, 2.0]), {"conditioned": True, "studies": 5}
    surveyed = curves().probabilities(votes, asked=Sides.IMAGE, survey=True, **of)
    assert surveyed.tolist() == pytest.approx([0.1, 0.15, 0.9], abs=1e-6)
    suspected = curves().probabilities(votes, asked=Sides.IMAGE, survey=False, **of)
    assert suspected.tolist() == pytest.approx([0.2, 0.3, 1.0], abs=1e-6)
    assert curves().probabilities(votes, asked=Sides.TEXT, survey=False, **of) is None


def test_another_bundle_has_none_and_its_digest_tells_it_apart(toy):
    assert curves_for(toy.bundle) is None
    manifest = toy.bundle.manifest
    other = replace(toy.bundle, manifest=replace(manifest, score_calibration=curves().suspected))
    assert graphs_digest(other) != graphs_digest(toy.bundle)
    assert graphs_digest(toy.bundle) == graphs_digest(replace(toy.bundle))


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"graphs": "g", "curves": [{}]}', SHIPPED.read_text()[:500]]
)
def test_a_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "votes.json"
    path.write_text(text)
    with pytest.raises(BundleError, match="Fit the votes again"):
        read_curves(path)


def test_a_curve_that_falls_is_refused(tmp_path):
    stored = curves().to_json()
    stored["surveyed"]["curves"][0]["probabilities"] = [0.9, 0.2, 0.1]
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(stored))
    with pytest.raises(BundleError, match="fall"):
        read_curves(path)
