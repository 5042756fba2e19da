"""What the image for a Jetson installs has a wheel for it, or is named as coming with JetPack.

Asks the package index that pip is set to for its files (PEP 691); skips where there is none.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[1]
PYTHON_OF = {"6": "3.10", "7": "3.12"}
GLIBC_OF = {"6": 35, "7": 39}  # Ubuntu 22.04 and 24.04: glibc 2.35 and 2.39
SIMPLE = "application/vnd.pypi.simple.v1+json"


@cache
def index_url() -> str:
    asked = [sys.executable, "-m", "pip", "config", "list"]
    told = configparser.ConfigParser(delimiters="=", interpolation=None)
    told.read_string("[all]\n" + subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    return told["all"].get("global.index-url", "'https://pypi.org/simple'").strip("'").rstrip("/")


def fetch(url: str, accept: str = "*/*") -> bytes:
    request = urllib.request.Request(url, headers={"Accept": accept})
    for attempt in range(3):
        try:
            with urllib.request.urlopen(request, timeout=8) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError:
            raise
        except OSError:
            if attempt == 2:
                raise
    raise AssertionError


@pytest.fixture(scope="module")
def index() -> str:
    if os.environ.get("PIP_NO_INDEX"):
        pytest.skip("pip is set to use no package index")
    try:
        fetch(f"{index_url()}/packaging/", SIMPLE)
    except OSError as error:
        pytest.skip(
            f"the package index {urllib.parse.urlsplit(index_url()).hostname} does not answer: {error}"
        )
    return index_url()


@cache
def files_of(name: str) -> list[dict[str, object]]:
    listed = json.loads(fetch(f"{index_url()}/{name}/", SIMPLE))
    found: list[dict[str, object]] = listed["files"]
    return found


def tags_of(jetpack: str) -> set[object]:
    version = tuple(int(part) for part in PYTHON_OF[jetpack].split("."))
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in range(GLIBC_OF[jetpack], 16, -1)]
    platforms += ["manylinux2014_aarch64", "linux_aarch64"]
    return {*cpython_tags(version, platforms=platforms), *compatible_tags(version, platforms=platforms)}


def has_wheel(jetpack: str, name: str, versions: SpecifierSet) -> bool:
    """Whether there is a wheel of an allowed version that JetPack's Python installs."""
    wanted = tags_of(jetpack)
    for file in files_of(name):
        if str(file["filename"]).endswith(".whl") and not file.get("yanked"):
            try:
                _, version, _, tags = parse_wheel_filename(str(file["filename"]))
            except InvalidWheelFilename:  # of before there were rules; pip passes over it too
                continue
            if version in versions and wanted & set(tags):
                return True
    return False


@dataclass(frozen=True)
class Target:
    """The machine that requirements are read for."""

    jetpack: str

    def applies(self, requirement: Requirement, extra: str = "") -> bool:
        python = PYTHON_OF[self.jetpack]
        machine = {
            "python_version": python,
            "python_full_version": f"{python}.0",
            "implementation_name": "cpython",
            "platform_machine": "aarch64",
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "sys_platform": "linux",
            "os_name": "posix",
        }
        return requirement.marker is None or requirement.marker.evaluate({**machine, "extra": extra})

    def pins(self) -> dict[str, Requirement]:
        lines = (ROOT / "constraints.txt").read_text().splitlines()
        pinned = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
        return {canonicalize_name(r.name): r for r in pinned if self.applies(r)}

    def tree(self, roots: Iterable[Requirement]) -> set[str]:
        """Names of all that `roots` need on the target, as far as what is installed here tells."""
        found: set[str] = set()
        todo = [r for r in roots if self.applies(r)]
        while todo:
            requirement = todo.pop()
            name = canonicalize_name(requirement.name)
            if name in found:
                continue
            found.add(name)
            if installed(name):
                needs = map(Requirement, metadata.requires(name) or [])
                todo += [r for r in needs if any(self.applies(r, e) for e in ("", *requirement.extras))]
        return found


def installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def project() -> dict[str, list[Requirement]]:
    """Requirements by extra; those of the project itself under ''."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = {"": table["dependencies"], **table["optional-dependencies"]}
    return {extra: [Requirement(line) for line in lines] for extra, lines in lists.items()}


@pytest.mark.parametrize("jetpack", ["6", "7"])
def test_every_pinned_dependency_has_a_wheel_for_that_jetpack(index: str, jetpack: str) -> None:
    """The whole tree of `.[cpu,app]`, as the image's first stage collects it."""
    target, wanted = Target(jetpack), project()
    pins = target.pins()
    names = target.tree(r for extra in ("", "cpu", "app") for r in wanted[extra])
    # Pinned for some Pythons alone and not installed in this one (exceptiongroup): needed, for all we know.
    names |= {name for name, pin in pins.items() if pin.marker and not installed(name)}
    assert len(names) > 30
    assert names <= pins.keys()

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda name: (name, has_wheel(jetpack, name, pins[name].specifier)), names))
    assert [name for name, has in found if not has] == []


def documented() -> dict[tuple[str, str], str]:
    """(package, JetPack) -> where docs/deploy-jetson.md says it comes from."""
    text = (ROOT / "docs" / "deploy-jetson.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    return {(name, j): said.strip() for name, *cells in rows for j, said in zip("67", cells, strict=True)}


@pytest.mark.parametrize("jetpack", ["6", "7"])
def test_what_the_index_lacks_for_a_gpu_is_said_to_come_from_elsewhere(index: str, jetpack: str) -> None:
    table, target = documented(), Target(jetpack)
    wanted = [r for extra in ("gpu", "tensorrt") for r in project()[extra] if target.applies(r)]
    assert wanted
    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        in_index = has_wheel(jetpack, name, requirement.specifier)
        assert table[name, jetpack].startswith("package index") == in_index, name
