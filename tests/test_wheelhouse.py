"""What a site without a network installs from, and that what is installed needs none."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ("offline", "run")


@pytest.fixture(scope="module")
def wheelhouse() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wheelhouse", ROOT / ".ci" / "wheelhouse.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["wheelhouse"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def wheel(folder: Path, name: str, version: str = "1.0", tag: str = "py3-none-any", needs: str = "") -> Path:
    """Write a wheel that installs one empty module."""
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(f"{name}.py", "")
        asked = f"Requires-Dist: {needs}\n" if needs else ""
        packed.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{asked}"
        )
        packed.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        packed.writestr(f"{info}/RECORD", "")
    return path


def install(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Install as a site does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--find-links", str(folder)]
    command += [
        "--require-hashes",
        "--requirement",
        str(folder / "requirements.txt"),
        "--target",
        str(target),
    ]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )


@pytest.fixture
def carried(wheelhouse: ModuleType, tmp_path: Path) -> Path:
    """A small wheelhouse for two machines; one package is needed on the other machine alone."""
    here, other = platform.machine(), {"x86_64": "aarch64"}.get(platform.machine(), "x86_64")
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    wheel(folder, "outer_one", needs="inner>=1")
    wheel(folder, "inner", tag=f"py3-none-linux_{here}")
    wheel(folder, "inner", tag=f"py3-none-linux_{other}")
    wheel(folder, "elsewhere", tag=f"py3-none-manylinux_2_17_{other}.manylinux2014_{other}")
    text = wheelhouse.requirements(sorted(folder.glob("*.whl")), sorted((here, other)))
    (folder / "requirements.txt").write_text(text)
    return folder


@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="for x86-64 and aarch64")
def test_pip_installs_what_the_requirements_name(carried: Path, tmp_path: Path) -> None:
    done = install(carried, tmp_path / "site")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in (tmp_path / "site").glob("*.py")) == ["inner.py", "outer_one.py"]
    text = (carried / "requirements.txt").read_text()
    assert len(re.findall(r"inner==1\.0(?: \\\n    --hash=sha256:[0-9a-f]{64}){2}", text)) == 1
    assert 'elsewhere==1.0 ; platform_machine == "' in text


@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="for x86-64 and aarch64")
def test_pip_refuses_what_was_altered_on_the_way(carried: Path, tmp_path: Path) -> None:
    wheel(carried, "outer_one", needs="inner>=1.0")
    done = install(carried, tmp_path / "site")
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stdout + done.stderr


def test_heavy_packages_stay_out(wheelhouse: ModuleType) -> None:
    """What only training and export need is not carried; test_packaging holds what the extras bring."""
    assert not {"train", "export", "dev", "bench"} & set(wheelhouse.EXTRAS.split(","))
    assert set(wheelhouse.MACHINES) == {"x86_64", "aarch64"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_parse_and_can_be_run(name: str) -> None:
    script = ROOT / ".ci" / name
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_full_form_is_part_of_the_check() -> None:
    lines = (ROOT / ".ci" / "run").read_text()
    assert "make wheelhouse" in lines
    assert ".ci/offline dist/wheelhouse" in lines


@pytest.fixture(scope="module")
def no_network() -> list[str]:
    """The words before a command that runs it with no interface but the loopback."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare (util-linux)")
    for words in (["unshare", "--map-root-user", "--net"], ["unshare", "--net"]):
        if not subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
            return words
    pytest.skip("no network namespace can be made here")


def test_the_demo_and_the_doctor_need_no_network(no_network: list[str], tmp_path: Path) -> None:
    """The short form of `.ci/offline`: what is installed here, with no interface."""
    command = [*no_network, sys.executable, "-c", "from edge_retrieve.edge_app.cli import main; main()"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def run(*words: str) -> str:
        done = subprocess.run(
            [*command, *words], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Similar cases" in run("demo", "--no-serve", "--studies", "10", "--dir", "demo")
    told = run("doctor", "--store", "demo/store-10", "--port", "0")
    assert re.search(r"^ok +store: 10 studies .*synthetic", told, re.MULTILINE), told
