"""The words a developer types, and the pins behind them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is absent")


def make(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "ARGS"}}
    # Named here, so that each call need not look for one.
    command = ["make", "-C", str(ROOT), f"PYTHON={sys.executable}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=check, env=environment)


@pytest.fixture(scope="module")
def lock() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lock", ROOT / ".ci" / "lock.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_make_alone_lists_every_public_target() -> None:
    listed = {line.split()[0] for line in make().stdout.splitlines()}
    assert {"setup", "demo", "test", "lint", "bench", "clean"} <= listed


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench"])
def test_every_target_sets_up_first_where_nothing_is(target: str, tmp_path: Path) -> None:
    planned = make("--dry-run", target, f"VENV={tmp_path}/venv").stdout
    assert f"-m venv {tmp_path}/venv" in planned
    assert "--constraint constraints.txt" in planned
    assert planned.index("pip install") < planned.rindex(f"{tmp_path}/venv/bin/")


def test_set_up_does_nothing_the_second_time(tmp_path: Path) -> None:
    (tmp_path / ".installed").touch()
    assert make("--question", "setup", f"VENV={tmp_path}", check=False).returncode == 0


def test_set_up_runs_again_after_a_change_of_requirements(tmp_path: Path) -> None:
    stamp = tmp_path / ".installed"
    stamp.touch()
    older = (ROOT / "constraints.txt").stat().st_mtime - 1
    os.utime(stamp, (older, older))
    assert make("--question", "setup", f"VENV={tmp_path}", check=False).returncode == 1


def test_set_up_without_a_python_says_what_to_install(tmp_path: Path) -> None:
    done = make("setup", "PYTHON=", f"VENV={tmp_path}/venv", check=False)
    assert done.returncode != 0
    assert "apt-get install python3 python3-venv" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_arguments_are_handed_on() -> None:
    assert (
        "edge-retrieve demo --no-serve --studies 60"
        in make("-n", "demo", "ARGS=--no-serve --studies 60").stdout
    )
    assert "tests/runtime -k boxes" in make("-n", "test", "ARGS=tests/runtime -k boxes").stdout


def test_benchmarks_are_tiny_unless_told_otherwise() -> None:
    scripts = "BENCHMARKS=benchmarks/a.py benchmarks/b.py"
    assert "$script --tiny;" in make("-n", "bench", scripts).stdout
    assert "--tiny" not in make("-n", "bench", scripts, "ARGS=").stdout
    assert "$script --studies 9;" in make("-n", "bench", scripts, "ARGS=--studies 9").stdout


def test_ci_script_parses_and_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    steps = [line.strip() for line in script.read_text().splitlines()]
    assert [steps.index(f"make {word}") for word in ("setup", "lint", "test", "bench")] == sorted(
        steps.index(f"make {word}") for word in ("setup", "lint", "test", "bench")
    )


def test_pins_of_two_interpreters_are_told_apart(lock: ModuleType) -> None:
    resolved = {
        (3, 10): {"click": "8.5.1", "numpy": "2.2.6", "tomli": "2.5.0"},
        (3, 11): {"click": "8.5.1", "numpy": "2.4.6"},
    }
    assert lock.pins(resolved) == [
        "click==8.5.1",
        'numpy==2.2.6 ; python_version == "3.10"',
        'numpy==2.4.6 ; python_version >= "3.11"',
        'tomli==2.5.0 ; python_version == "3.10"',
    ]


def test_constraints_are_pins_and_nothing_else() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            assert re.fullmatch(r'[a-z0-9-]+==[0-9][^ ]*( ; python_version (==|>=) "3\.\d+")?', line), line


def test_the_demonstration_goes_where_the_readme_says_and_git_leaves_it_alone() -> None:
    from edge_retrieve.edge_app.cli.demo import demo

    folder = next(option for option in demo.params if option.name == "folder").default
    assert f"Everything goes into `.venv` and `{folder}`." in (ROOT / "README.md").read_text()
    assert f"/{folder}/" in (ROOT / ".gitignore").read_text().splitlines()
