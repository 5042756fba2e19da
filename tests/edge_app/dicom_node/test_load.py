"""The short form of benchmarks/dicom_load.py, and that it would notice a loss."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def test_of_many_objects_at_once_none_is_lost_when_the_server_is_killed(tmp_path, plain_environment):
    sizes = ["--objects", "24", "--malformed", "6", "--singles", "1", "--pixels", "256", "--kills", "1"]
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "dicom_load.py", *sizes, "--dir", tmp_path, "--json"],
        capture_output=True,
        text=True,
        timeout=280,
        env=plain_environment,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(run.stdout)
    assert found["synthetic"] is True
    assert (found["lost"], found["acknowledged_and_missing"], found["wrongly_stored"]) == ([], [], [])
    assert (found["stored"], found["quarantined"]) == (19, 6)
    assert found["kills"] == 1
    assert found["searchable_p50"] > 0


@pytest.mark.parametrize(
    "loss", [{"lost": ("1.2",)}, {"acknowledged_and_missing": ("1.2",)}, {"wrongly_stored": ("1.2",)}]
)
def test_a_loss_is_noticed(monkeypatch, loss):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from dataclasses import fields, replace

    from dicom_load import Result

    sound = Result(**{field.name: () if "tuple" in str(field.type) else 0 for field in fields(Result)})
    assert sound.sound
    assert not replace(sound, **loss).sound
