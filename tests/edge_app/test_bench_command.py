"""``edge-retrieve bench encode|region``: rows that others rely on, and clear refusals."""

import json
import shutil
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.runtime.bundle import Graph, GraphForm, Precision, RoiAlign, write_bundle

TOY = ("--allow-unsigned", "--runs", "2", "--threads", "1")


def bench(toy, *arguments, quick=TOY):
    return CliRunner().invoke(main, ["bench", *arguments, "--bundle", str(toy.bundle.path), *quick])


def rows_of(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["rows"]


def test_encode_times_both_encoders_at_both_batches_in_every_engine_that_works(toy):
    result = bench(toy, "encode", "--json")
    rows = rows_of(result)
    pytest.importorskip("openvino")
    assert {(row["graph"], row["batch"], row["backend"]) for row in rows} == {
        (graph, batch, backend)
        for graph in ("image_encoder", "text_encoder")
        for batch in (1, 16)
        for backend in ("cpu", "openvino")
    }
    assert len({row["method"] for row in rows}) == len(rows)
    assert any("cuda" in reason for reason in json.loads(result.stdout)["refused"])
    for row in rows:
        assert row["method"].startswith("edge-retrieve ")
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["runs"] == 2
        assert row["cosine"] == pytest.approx(1, abs=1e-5)


def test_region_compares_one_box_and_all_regions_with_encoding_an_image(toy):
    rows = rows_of(bench(toy, "region", "--backend", "cpu", "--json"))
    image = next(row for row in rows if row["graph"] == "image_encoder")
    regions = [row for row in rows if row["graph"] == "region_encoder"]
    assert [(row["batch"], row["boxes"]) for row in regions] == [(1, 1), (1, 29), (16, 1), (16, 29)]
    assert image["of_image_encode"] is None
    for row in regions:
        assert row["of_image_encode"] == pytest.approx(row["p50_ms"] / image["p50_ms"], abs=1e-4)


def test_the_table_for_people_has_a_line_for_each_case(toy):
    result = bench(toy, "region", "--backend", "cpu", "--batch", "1", "--batch", "1")
    assert result.exit_code == 0, result.output
    assert "edge-retrieve region_encoder fp32, cpu, batch 1, 29 boxes" in result.stdout
    assert result.stdout.count("edge-retrieve") == 3
    assert "%" in result.stdout


def test_an_engine_asked_for_by_name_and_missing_is_named_with_its_extra(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    result = bench(toy, "encode", "--backend", "openvino")
    assert result.exit_code == 1
    assert 'pip install "edge-retrieve[openvino]"' in result.stderr
    # Left to the command, it is left out and the reason is told.
    result = bench(toy, "encode", "--batch", "1")
    assert result.exit_code == 0
    assert "Left out: openvino" in result.stderr


def test_every_form_that_these_engines_read_is_timed(toy, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(toy.bundle.path, folder)
    spellings = {"other.onnx": RoiAlign.MATMUL, "plugin.onnx": RoiAlign.PLUGIN}
    for name in spellings:
        shutil.copy(folder / "region_encoder.onnx", folder / name)
    forms = [
        GraphForm(Graph.REGION_ENCODER, Precision.FP32, name, 18, roi) for name, roi in spellings.items()
    ]
    default = GraphForm(Graph.REGION_ENCODER, Precision.FP32, "region_encoder.onnx", 18, RoiAlign.ONNX)
    bundle = write_bundle(folder, replace(toy.bundle.manifest, forms=(*forms, default)))
    result = CliRunner().invoke(
        main,
        ["bench", "region", "--bundle", str(bundle.path), "--backend", "cpu", "--batch", "1", "--json", *TOY],
    )
    methods = [row["method"] for row in rows_of(result)]
    assert methods[1:] == [
        f"edge-retrieve region_encoder fp32 ({roi}), cpu, batch 1, {boxes}"
        for roi in ("onnx", "matmul")
        for boxes in ("1 box", "29 boxes")
    ]


def test_an_unsigned_bundle_is_refused(toy):
    result = bench(toy, "encode", quick=())
    assert result.exit_code == 1
    assert "--allow-unsigned" in result.stderr
