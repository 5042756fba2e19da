"""The training report: what it plots is what was logged, and nothing in it comes from elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.runtime.errors import TrainingError
from edge_retrieve.train.charts import Line, line_chart
from edge_retrieve.train.config import TrainConfig
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.examples import find_examples
from edge_retrieve.train.log import EPOCHS, STEPS, JsonLines
from edge_retrieve.train.loop import Trainer
from edge_retrieve.train.report import REPORT, write_report
from edge_retrieve.train.validate import EncodedStudies


def test_a_run_ends_with_its_report(config: TrainConfig, corpus: Corpus) -> None:
    Trainer(config, corpus, corpus).run()
    page = (Path(config.out) / REPORT).read_text(encoding="utf-8")
    assert "<h1>Training report (synthetic)</h1>" in page
    assert "9 batches in 3 finished epochs" in page
    for name in ("location_image_text", "box_score", "p_at_5_conditioned", "box_iou", "learning rate"):
        assert f"</i>{name} " in page
    assert len(re.findall(r"data:image/jpeg;base64,", page)) >= 6
    assert "relevant" in page
    # Nothing is fetched from anywhere.
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "http" not in re.sub(r"<pre>.*</pre>", "", page, flags=re.DOTALL)
    last = json.loads((Path(config.out) / STEPS).read_text().splitlines()[-1])
    assert f"</i>learning rate {last['learning_rate']:.4g}" in page


def test_the_report_of_a_run_cut_off_is_written_from_its_logs(config: TrainConfig, corpus: Corpus) -> None:
    class StopError(Exception):
        pass

    def stop(phase: str, done: int, total: int) -> None:
        if phase.endswith("epoch 2"):
            raise StopError

    with pytest.raises(StopError):
        Trainer(config, corpus, corpus).run(stop)
    result = CliRunner().invoke(main, ["train-report", config.out, "--json"])
    assert result.exit_code == 0, result.output
    page = Path(json.loads(result.stdout)["report"]).read_text(encoding="utf-8")
    assert "4 batches in 1 finished epochs" in page


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run to report on"):
        write_report(tmp_path)
    result = CliRunner().invoke(main, ["train-report", str(tmp_path)])
    assert result.exit_code == 1
    assert "no run to report on" in result.stderr


def test_real_studies_are_not_called_synthetic(tmp_path: Path) -> None:
    JsonLines(tmp_path / EPOCHS).append(
        {"epoch": 1, "stage": "a<b", "seconds": 2.0, "loss": {"box": 1.5}, "validation": {"box_iou": 0.5}}
    )
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "synthetic" not in page
    assert "treat it as patient data" in page
    assert "a&lt;b" in page
    assert "a<b" not in page


def test_examples_are_ranked_within_a_region_and_leave_the_patient_out(corpus: Corpus) -> None:
    generator = np.random.default_rng(0)
    regions = generator.standard_normal((len(corpus), 29, 8)).astype(np.float32)
    regions /= np.linalg.norm(regions, axis=-1, keepdims=True)
    encoded = EncodedStudies(regions, regions[:, 0], corpus.boxes, np.zeros(0, np.float32))
    # A patient's two studies look alike to the model, and must not find each other.
    regions[1::2] = regions[::2]
    corpus = replace(corpus, labels=np.repeat(corpus.labels[::2], 2, axis=0))
    examples = find_examples(corpus, encoded)
    assert examples
    for example in examples:
        scores = [hit.score for hit in example.hits]
        assert scores == sorted(scores, reverse=True)
        assert example.query.score == pytest.approx(1.0, abs=1e-5)
        assert scores[0] < 0.999
    assert len({example.finding for example in examples}) == len(examples)


def test_a_chart_draws_every_point_in_its_place() -> None:
    figure = line_chart("t", {"a": Line([(0.0, 1.0), (10.0, 3.0)])}, x_label="batch")
    (points,) = re.findall(r'<polyline points="([^"]+)"', figure)
    (x1, y1), (x2, y2) = (tuple(map(float, point.split(","))) for point in points.split())
    assert x1 < x2
    assert y1 > y2  # larger values stand higher
    ticks = [float(tick) for tick in re.findall(r'text-anchor="end">([\d.]+)</text>', figure)]
    assert ticks == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert "Nothing was logged" in line_chart("t", {}, x_label="batch")
    # Ten thousand points are thinned, and a value that is no number is left out.
    many = line_chart(
        "t", {"a": Line([(float(n), float("nan") if n == 3 else 2.0) for n in range(10_000)])}, x_label=""
    )
    assert "nan" not in many
    assert len(re.findall(r"polyline points=\"([^\"]+)\"", many)[0].split()) <= 400
