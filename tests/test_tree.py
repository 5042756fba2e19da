"""The tree as the design says it is: what stands where, how long, and how documented."""

from __future__ import annotations

import ast
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[1]
HOUSES = ("runtime", "train", "export", "edge_app")
TOP_LEVEL = {
    *HOUSES,
    *(".ci", "benchmarks", "docs", "tests"),
    *(".gitignore", "constraints.txt", "Dockerfile.jetson", "LICENSE", "Makefile", "pyproject.toml"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md"),
}
LONGEST_FILE = 350  # lines: readable in one sitting
SOURCE = {".py", ".js", ".css", ".html"}
MEGABYTE = 1_000_000
# Spelled in two halves so that this file passes its own test.
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "HA" + "CK", "TB" + "D")) + r")\b")


@cache
def tracked() -> tuple[Path, ...]:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs a git checkout to know which files belong to the project")
    listed = subprocess.check_output(
        ["git", "-C", str(ROOT), "-c", "safe.directory=*", "ls-files", "-z"], text=True
    )
    return tuple(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())


def sources() -> list[Path]:
    return [path for path in tracked() if path.suffix in SOURCE]


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_top_level_is_the_agreed_one() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} == TOP_LEVEL


def test_files_are_readable_in_one_sitting() -> None:
    lengths = {relative(path): len(path.read_text().splitlines()) for path in sources()}
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE}
    assert not long, f"split them by concept: {long}"


def test_nothing_is_left_unfinished() -> None:
    for path in [*sources(), *documents()]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert not UNFINISHED.search(line), f"{relative(path)}:{number}: {line.strip()}"


def public_definitions(
    path: Path,
) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the module and its public classes, functions and methods."""
    module = ast.parse(path.read_text(), str(path))
    yield module
    for node in module.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
            yield node
            for member in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and member.name[0] != "_":
                    yield member


def test_everything_public_is_documented() -> None:
    missing = [
        f"{relative(path)}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', 'the module')}"
        for path in sources()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in HOUSES
        for node in public_definitions(path)
        if not ast.get_docstring(node) and not (isinstance(node, ast.Module) and not node.body)
    ]
    assert not missing, missing


def test_no_large_file_but_the_demo_bundle_and_pictures() -> None:
    for path in tracked():
        size = path.stat().st_size
        assert size <= 9 * MEGABYTE, f"{relative(path)} has {size / MEGABYTE:.1f} MB"
        if size > MEGABYTE:
            assert relative(path).startswith(("runtime/demo_bundle/", "docs/")), relative(path)
    bundle = [path for path in tracked() if relative(path).startswith("runtime/demo_bundle/")]
    assert sum(path.stat().st_size for path in bundle) <= 8 * MEGABYTE


def test_no_checkpoint_or_patient_image_is_committed() -> None:
    unwanted = {
        ".pt",
        ".pth",
        ".ckpt",
        ".safetensors",
        ".dcm",
        ".engine",
        ".plan",
        ".sqlite",
        ".db",
        ".usearch",
    }
    assert not [relative(path) for path in tracked() if path.suffix in unwanted]


def test_no_shared_material_is_committed() -> None:
    """The licences of the material beside the checkout differ file by file."""
    shared = ROOT.parent / "shared" / "data"
    if not shared.is_dir():
        pytest.skip("../shared/data is absent")
    theirs = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path
        for path in shared.rglob("*")
        if path.is_file() and path.stat().st_size > 0
    }
    for path in tracked():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest not in theirs, f"{relative(path)} is a copy of {theirs[digest]}"


def command_lines(program: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (where, words after the program) of every use in a fenced block of the documents."""
    for path in documents():
        for block in re.findall(
            r"^```(?:bash|sh|console)?\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL
        ):
            for line in block.replace("\\\n", " ").splitlines():
                words = line.split("#")[0].removeprefix("$ ").split()
                if words and words[0].rsplit("/", 1)[-1] == program:
                    yield f"{relative(path)}: {line.strip()}", words[1:]


def test_documented_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    seen = set()
    for where, words in command_lines("make"):
        names = [word for word in words if "=" not in word and not word.startswith("-")]
        for name in names[:1]:
            assert name in targets, where
            seen.add(name)
    assert {"demo", "test"} <= seen


def test_documented_commands_and_options_exist() -> None:
    from edge_retrieve.edge_app.cli import main

    seen = 0
    for where, words in command_lines("edge-retrieve"):
        command: click.Command = main
        options: set[str] = {"--help", "--version"}
        for word in words:
            if word == "--":  # what follows is handed to the server (`deploy`)
                command, options = main.commands["serve"], set()
            elif isinstance(command, click.Group) and not word.startswith("-"):
                assert word in command.commands, f"no such command: {where}"
                command = command.commands[word]
            elif word.startswith("--"):
                for parameter in command.params:
                    options.update((*parameter.opts, *parameter.secondary_opts))
                assert word.split("=")[0] in options, f"no such option {word}: {where}"
        seen += 1
    assert seen > 3


def test_links_between_documents_lead_somewhere() -> None:
    for path in documents():
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target and not target.startswith("mailto:"):
                assert (path.parent / target).exists(), f"{relative(path)} links to {target}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for path in documents():
        if path.parent == ROOT / "docs" and path.name != "README.md":
            assert f"]({path.name})" in index, f"docs/README.md does not name {path.name}"
