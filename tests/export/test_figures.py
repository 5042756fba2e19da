"""Figures from eval commands, as they enter a manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_retrieve.export.figures import parse_thresholds, read_figures
from edge_retrieve.runtime.errors import ConfigError


def test_numbers_are_named_by_their_path(tmp_path: Path) -> None:
    path = tmp_path / "phantom.json"
    path.write_text(
        '{"synthetic": true, "regions": {"iou": 0.5}, "n": 3, "seeds": [{"n": 1}]}', encoding="utf-8"
    )
    assert read_figures([f"synthetic={path}"]) == {"synthetic.regions.iou": 0.5, "synthetic.n": 3.0}


def test_thresholds() -> None:
    assert parse_thresholds(["box_score_flag=0.7"]) == {"box_score_flag": 0.7}


@pytest.mark.parametrize("wrong", ["box_score_flag", "other=1", "abstain_below=low", "=1"])
def test_wrong_thresholds_are_refused(wrong: str) -> None:
    with pytest.raises(ConfigError):
        parse_thresholds([wrong])


@pytest.mark.parametrize("content", [None, "no json"])
def test_wrong_files_are_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "x.json"
    if content:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"x\.json"):
        read_figures([f"x={path}"])
