"""Configuration files: read back equal, refused with the field's name where wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.config import PRESETS, config_to_json, load_config, parse_config

MINIMAL = {"out": "runs/x", "stages": [{"name": "a", "epochs": 1, "learning_rate": 0.001}]}


@pytest.mark.parametrize("preset", sorted(path.stem for path in PRESETS.glob("*.json")))
def test_presets_load_by_name_and_read_back_equal(preset: str) -> None:
    config = load_config(Path(preset))
    assert parse_config(json.loads(config_to_json(config))) == config


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"batchsize": 3}, "batchsize"),
        ({"batch": "many"}, "config.batch"),
        ({"batch": 1}, "config.batch"),
        ({"model": {"image_size": 100}}, "image_size"),
        ({"model": {"salience_heads": 7}}, "salience_heads"),
        ({"model": {"widths": [1, 2]}}, "widths"),
        ({"stages": []}, "stages"),
        ({"stages": [{"name": "a", "epochs": 1}]}, "learning_rate"),
        (
            {"stages": [{"name": "a", "epochs": 1, "learning_rate": 1, "weights": {"bx": 1}}]},
            "stages[0].weights",
        ),
        ({"out": None}, "config.out"),
        ({"objective": "clip"}, "expected one of rra_vl, global_infonce"),
        ({"device": "tpu"}, "config.device"),
        ({"accumulate": 0}, "config.accumulate"),
        ({"chunk": -1}, "config.chunk"),
        ({"checkpoint_steps": -5}, "config.checkpoint_steps"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named.replace("[", r"\[").replace("]", r"\]")):
        parse_config({**MINIMAL, **change})


def test_a_missing_file_lists_the_presets(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="demo"):
        load_config(tmp_path / "none.json")


def test_a_file_that_is_not_json(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="not readable as JSON"):
        load_config(tmp_path / "c.json")
