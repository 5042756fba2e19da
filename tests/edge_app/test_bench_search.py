import json

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.runtime.index import kernel
from edge_retrieve.runtime.index.switch_points import load_switch_points


def run(*options):
    return CliRunner().invoke(main, ["bench", "search", *map(str, options)])


def test_rows_name_ours_and_the_others():
    done = run("--tiny", "--json", "--method", "edge-retrieve", "--method", "usearch", "--method", "numpy")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    rows = {row["method"]: row for row in answer["rows"]}
    assert next(iter(rows)) == "edge-retrieve"
    assert answer["synthetic"] is True
    assert len(rows) == 3
    # Rows so few are all scored: exact by both.
    for name in ("edge-retrieve", "numpy float32 scan"):
        assert (rows[name]["recall"], rows[name]["cross"]) == (1.0, 1.0)
        assert 0 < rows[name]["p50_ms"] <= rows[name]["p99_ms"]
        assert rows[name]["disk_mb"] > 0


def test_wrong_use_is_said_in_a_sentence(tmp_path):
    done = run("--method", "nobody's")
    assert (done.exit_code, "part of no method's name" in done.output) == (2, True)
    done = run("--store", tmp_path)
    assert (done.exit_code, "Add --calibrate" in done.output) == (2, True)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"codes": -1, "graph": 5}', '{"codes": "x", "graph": 5}', '{"a": 1}']
)
def test_damaged_switch_points_are_the_defaults(tmp_path, content):
    sound = load_switch_points(tmp_path)
    (tmp_path / "switch-points.json").write_text(content)
    assert load_switch_points(tmp_path) == sound


def test_calibration_names_both_switch_points():
    done = run("--calibrate", "--tiny", "--dim", 32, "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["kept"] is False
    assert answer["switch_points"]["graph"] >= 4096
    if kernel.available():
        assert answer["switch_points"]["codes"] <= 8192
