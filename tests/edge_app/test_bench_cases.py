"""``edge-retrieve bench query|ingest``: whole cases in, rows that others rely on out."""

import json

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main


def rows_of(*arguments):
    pytest.importorskip("cv2")
    done = CliRunner().invoke(main, ["bench", *arguments, "--tiny", "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["synthetic"] is True
    return answer["rows"]


def test_query_names_its_stages_for_no_one_and_four_regions():
    rows = rows_of("query")
    assert [row["regions"] for row in rows] == [0, 1, 4]
    for row in rows:
        assert row["method"].startswith("edge-retrieve")
        assert 0 < row["decode_encode_share"] < 1
        # Medians of the stages make up about the median of their sum; none is longer than the slowest whole.
        assert max(row["decode_ms"], row["encode_ms"], row["search_ms"]) <= row["p99_ms"] * 1.001
        assert row["p50_ms"] <= row["p99_ms"]


def test_ingest_gives_a_rate_and_its_stages():
    (row,) = rows_of("ingest")
    assert row["studies"] == 4
    assert row["studies_per_s"] == pytest.approx(1000 / row["p50_ms"])
    stages = [value for name, value in row.items() if name.endswith("_ms") and name != "p50_ms"]
    assert len(stages) == 6
    assert all(value > 0 for value in stages)


def test_an_image_that_is_none_is_refused_in_a_sentence(tmp_path):
    pytest.importorskip("cv2")
    (tmp_path / "note.dcm").write_text("not an X-ray")
    done = CliRunner().invoke(main, ["bench", "query", str(tmp_path / "note.dcm"), "--tiny"])
    assert (done.exit_code, "note.dcm" in done.output) == (1, True), done.output
