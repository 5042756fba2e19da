"""``edge-retrieve export plugins`` with a compiler that is made here: what it is asked, what is told."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_retrieve.edge_app.cli import main

# Writes the file that -o names; tells a release and, for a binary, what ptxas -v tells.
COMPILER = """#!/bin/sh
for word; do case "$word" in
  -arch=*) arch=${word#-arch=};;
  --version) echo "Cuda compilation tools, release 13.0";;
esac; done
case "$*" in *-cubin*)
  echo "ptxas info    : Compiling entry function 'roi_mean' for '$arch'"
  echo "    0 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads"
  echo "ptxas info    : Used 40 registers, used 1 barriers, 512 bytes smem";;
esac
while [ $# -gt 1 ]; do [ "$1" = -o ] && echo "$arch" > "$2"; shift; done
exit 0
"""


@pytest.fixture
def nvcc(tmp_path: Path) -> Path:
    path = tmp_path / "nvcc"
    path.write_text(COMPILER)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["export", "plugins", *map(str, words)])


def test_it_writes_a_binary_for_each_capability_and_ptx(tmp_path: Path, nvcc: Path) -> None:
    result = run(
        *("--out", tmp_path / "out", "--nvcc", nvcc, "--capability", "8.7", "--capability", "11.0", "--json")
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["compiler"] == "13.0"
    names = ["roi_align_mean.sm_87.cubin", "roi_align_mean.sm_110.cubin", "roi_align_mean.ptx"]
    assert [Path(name).name for name in told["files"]] == names
    assert [(tmp_path / "out" / name).read_text().strip() for name in names] == [
        "sm_87",
        "sm_110",
        "compute_75",
    ]
    assert told["kernels"][0] == {
        "kernel": "roi_mean", "architecture": "sm_87", "registers": 40, "spill_stores": 4, "spill_loads": 8,
        "shared_bytes": 512,
    }  # fmt: skip


def test_spills_are_told_in_words(tmp_path: Path, nvcc: Path) -> None:
    result = run("--out", tmp_path / "out", "--nvcc", nvcc)
    assert result.exit_code == 0, result.output
    assert "5 files written" in result.stdout
    assert "registers sm_87 40, sm_89 40, sm_90 40, sm_110 40; 48 bytes spilled" in result.stdout


def test_wrong_use_and_a_missing_compiler(tmp_path: Path) -> None:
    wrong = run("--out", tmp_path / "out", "--capability", "sm_87")
    assert (wrong.exit_code, "no compute capability" in wrong.output) == (2, True)
    missing = run("--out", tmp_path / "out", "--nvcc", tmp_path / "no-nvcc")
    assert (missing.exit_code, "is not installed" in missing.output) == (1, True)
    assert not (tmp_path / "out").exists()
