"""Dockerfile.jetson, read: it cannot be built where these tests run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Instruction:
    """One instruction, continuation lines joined."""

    word: str
    rest: str


def instructions() -> list[Instruction]:
    lines = (ROOT / "Dockerfile.jetson").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#")).replace("\\\n", " ")
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [Instruction(word.upper(), " ".join(rest.split())) for word, rest in pairs]


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for instruction in instructions():
        if instruction.word == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def named(stage: list[Instruction]) -> str:
    return stage[0].rest.split(" AS ")[-1]


def final() -> list[Instruction]:
    return stages()[-1]


def test_jetpack_is_a_build_argument_that_names_both_bases() -> None:
    first = instructions()[0]
    assert (first.word, first.rest) == ("ARG", "JETPACK=6")
    names = [named(stage) for stage in stages()]
    for stage in stages()[-2:]:
        base = stage[0].rest.split()[0]
        assert "${JETPACK}" in base
        for jetpack in ("6", "7"):
            assert base.replace("${JETPACK}", jetpack) in names


def test_final_images_hold_libraries_and_no_toolkit() -> None:
    bases = {named(stage): stage[0].rest.split()[0] for stage in stages()}
    for jetpack in ("6", "7"):
        image = bases[f"jetpack-{jetpack}"]
        # NVIDIA names an image with compilers `-devel`, one without `-runtime`; l4t-jetpack has them too.
        assert re.fullmatch(r"nvcr\.io/nvidia/\S+:\S*runtime\S*", image), image


def test_every_copied_path_exists() -> None:
    copied = 0
    for instruction in instructions():
        if instruction.word == "COPY" and "--from=" not in instruction.rest:
            *paths, _target = instruction.rest.split()
            for path in paths:
                assert (ROOT / path).exists(), instruction
                copied += 1
    assert copied >= 8


def test_all_that_the_build_reads_is_copied() -> None:
    copied = " ".join(i.rest for i in instructions() if i.word == "COPY")
    for name in ("pyproject.toml", "README.md", "LICENSE", "runtime", "train", "export", "edge_app"):
        assert re.search(rf"(^|\s){re.escape(name)}\s", copied), name


def test_final_stage_brings_no_compiler() -> None:
    from_jetpack = [i for stage in stages() if named(stage).startswith("jetpack-") for i in stage]
    for instruction in [*from_jetpack, *final()]:
        found = re.search(r"build-essential|\bgcc\b|g\+\+|\bclang\b|\bcmake\b|-dev\b", instruction.rest)
        assert not found, instruction


def test_final_stage_installs_from_wheels_alone() -> None:
    installs = [i.rest for i in final() if "pip install" in i.rest]
    assert installs
    assert all("--no-index" in line and "--no-deps" in line for line in installs)


def test_server_runs_as_an_ordinary_user() -> None:
    words = [i.word for i in final()]
    users = [i.rest for i in final() if i.word == "USER"]
    assert users
    assert users[-1] not in {"root", "0"}
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert any(
        f"useradd --system --uid 10001 --create-home --home-dir /data {users[-1]}" in i.rest for i in final()
    )


def test_health_is_checked_where_the_server_listens() -> None:
    (health,) = (i.rest for i in final() if i.word == "HEALTHCHECK")
    (command,) = (i.rest for i in final() if i.word == "CMD")
    port = re.search(r'"--port", "(\d+)"', command)
    assert port
    assert f"127.0.0.1:{port[1]}/healthz" in health


def test_the_command_is_one_the_application_has() -> None:
    from edge_retrieve.edge_app.cli import main

    (command,) = (i.rest for i in final() if i.word == "CMD")
    name, *options = re.findall(r'"([^"]+)"', command)
    known = {option for parameter in main.commands[name].params for option in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known


def test_the_scan_of_codes_is_compiled_where_a_compiler_is_allowed() -> None:
    collecting = " ".join(i.rest for stage in stages() if named(stage) == "wheels" for i in stage)
    assert re.search(r"apt-get install .*\bgcc libc6-dev\b", collecting)
    # The scan is a module of Python's: its C wants Python's headers.
    assert "#include <Python.h>" in (ROOT / "runtime" / "index" / "scan_module.c").read_text()
    assert re.search(r"apt-get install .*\bpython3-dev\b", collecting)
    # Without it the wheel would lack the scan and nobody would be told: the build must look.
    looking = r"zipfile --list /wheels/edge_retrieve-\S+ \| grep --quiet 'runtime/index/_scan"
    assert re.search(looking, collecting)
