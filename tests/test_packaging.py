"""What the wheel contains, what it asks for, and that it never claims a bare top-level name."""

from __future__ import annotations

import email
import importlib.metadata as metadata
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
HOUSES = ("runtime", "train", "export", "edge_app")
PROJECT = "edge-retrieve"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# What the light installation must never bring.
HEAVY = {"torch", "torchvision", "transformers", "onnx", "onnxscript", "tensorrt", "pycuda"}
EXTRAS = {
    "bench",
    "cpu",
    "gpu",
    "openvino",
    "tensorrt",
    "rtx",
    "train",
    "export",
    "app",
    "dev",
    "bench-search",
    "dicom",
}


def tracked_files() -> list[str]:
    """Return the files of the working tree that git knows and that exist."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs a git checkout to know which files belong to the project")
    listed = subprocess.check_output(
        ["git", "-C", str(ROOT), "-c", "safe.directory=*", "ls-files", "-z"], text=True
    )
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def own_requirements(extras: frozenset[str]) -> list[str]:
    """Return what pyproject.toml asks for; the installed metadata may be older."""
    optional = PYPROJECT["project"]["optional-dependencies"]
    return [
        *PYPROJECT["project"]["dependencies"],
        *(line for extra in sorted(extras) for line in optional[extra]),
    ]


def dependency_closure(extras: set[str]) -> set[str]:
    """Return every distribution that this project with these extras needs."""
    needed: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = [(PROJECT, frozenset(extras))]
    while queue:
        name, wanted = queue.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            requires = own_requirements(wanted) if name == PROJECT else metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # not installed here, so nothing more is known of it
            continue
        for requirement in map(Requirement, requires):
            environments = [{"extra": extra} for extra in (wanted or {""})]
            if requirement.marker and not any(map(requirement.marker.evaluate, environments)):
                continue
            needed.add(canonicalize_name(requirement.name))
            queue.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return needed - {PROJECT}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build sdist and wheel from a copy: a stale build/ of the checkout must not help or harm."""
    copy = tmp_path_factory.mktemp("source")
    for name in tracked_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(copy / "dist"), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (copy / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


def test_package_list_equals_the_tree() -> None:
    on_disk = {
        "edge_retrieve." + ".".join(path.parent.relative_to(ROOT).parts)
        for house in HOUSES
        for path in (ROOT / house).rglob("*.py")
    }
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == on_disk


def test_every_package_has_an_init() -> None:
    for package in PYPROJECT["tool"]["setuptools"]["packages"]:
        folder = ROOT.joinpath(*package.split(".")[1:])
        assert (folder / "__init__.py").is_file(), f"{package} has no __init__.py"


def test_wheel_contains_every_tracked_file_of_the_houses(wheel: zipfile.ZipFile) -> None:
    wanted = {f"edge_retrieve/{name}" for name in tracked_files() if name.split("/")[0] in HOUSES}
    assert len(wanted) > 10
    missing = wanted - set(wheel.namelist())
    assert not missing, f"add them to [tool.setuptools] packages or package-data: {sorted(missing)}"


def test_wheel_has_no_bare_top_level_module(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"edge_retrieve"}


def test_wheel_carries_its_licence_and_readme(wheel: zipfile.ZipFile) -> None:
    licences = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
    assert len(licences) == 1
    assert b"Apache License" in wheel.read(licences[0])
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    header = email.message_from_bytes(wheel.read(name))
    assert header["Requires-Python"] == ">=3.10"
    assert header["License-Expression"] == "Apache-2.0"
    assert set(header.get_all("Provides-Extra", [])) == EXTRAS


def test_bare_names_are_not_importable(tmp_path: Path) -> None:
    code = (
        "import importlib.util, sys\n"
        "import edge_retrieve.runtime, edge_retrieve.edge_app, edge_retrieve.train, edge_retrieve.export\n"
        f"names = {HOUSES!r}\n"
        "print([n for n in names if n in sys.modules or importlib.util.find_spec(n)])"
    )
    found = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=tmp_path)
    assert found.strip() == "[]", f"importable beside a user's own modules: {found}"


def test_version_is_the_installed_one() -> None:
    version = PYPROJECT["project"]["version"]
    assert metadata.version(PROJECT) == version, "the environment is stale: run make setup"
    assert str(Version(version)) == version


def test_light_install_needs_no_training_stack() -> None:
    closure = dependency_closure({"cpu", "app"})
    assert {"numpy", "onnxruntime", "starlette", "click"} <= closure
    assert not closure & HEAVY, f"[cpu,app] pulls in {sorted(closure & HEAVY)}"


def test_bare_install_brings_no_inference_engine() -> None:
    """`cpu` and `gpu` own the same module, so the base must leave the choice open."""
    assert not {"onnxruntime", "onnxruntime-gpu"} & dependency_closure(set())


def test_cpu_and_gpu_engines_are_never_asked_for_together() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    for extra in extras:
        requirements = dependency_closure({extra})
        assert not {"onnxruntime", "onnxruntime-gpu"} <= requirements, extra


def test_agreed_dependencies_are_declared() -> None:
    declared = {canonicalize_name(Requirement(line).name) for line in own_requirements(frozenset(EXTRAS))}
    agreed = {"torch", "transformers", "onnx", "onnxruntime-gpu", "tensorrt", "pycuda"}
    agreed |= {"usearch", "pydicom", "click"}
    assert agreed <= declared, f"missing: {sorted(agreed - declared)}"


def test_every_development_dependency_is_pinned() -> None:
    text = (ROOT / "constraints.txt").read_text()
    pinned = {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}
    # A CUDA build of torch names its own companions; which of them is wanted depends on the build.
    companions = ("nvidia-", "cuda-", "triton")
    missing = {name for name in dependency_closure({"dev"}) - pinned if not name.startswith(companions)}
    assert not missing, f"run make lock: {sorted(missing)}"
    assert "torch==2.13.0\n" in text
