"""What was measured is on file: benchmarks/results, and the documents that speak of it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "benchmarks" / "results").iterdir())
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# What a person can type again.
COMMAND = re.compile(r"(edge-retrieve|python benchmarks/\w+\.py|\.ci/\w+)( |$)")


def about(path: Path) -> tuple[str, str, str]:
    """Return a result's date, machine and command."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        document = json.loads(text)
        assert {"load"} <= set(document), "null where it was not written down"
        return document["date"], document["machine"], document["command"]
    # A page for people names them in its first paragraph: the machine before all else.
    paragraph = " ".join(text.split("\n\n")[1].split())
    machine, date, command = re.search(r"^(.+?),.*?\b(\d{4}-\d{2}-\d{2})\b.*?`([^`]+)`", paragraph).groups()
    return date, machine, command


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_a_result_says_when_where_and_how(path: Path) -> None:
    date, machine, command = about(path)
    assert datetime.fromisoformat(date)
    assert re.search(r"\d (CPU|core)", machine), machine
    assert COMMAND.match(command), command
    script = re.search(r"(benchmarks/\w+\.py|\.ci/\w+)", command)
    assert script is None or (ROOT / script[1]).is_file(), script


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_a_document_speaks_of_each_result(path: Path) -> None:
    naming = [page.name for page in DOCUMENTS if f"benchmarks/results/{path.name}" in page.read_text()]
    assert naming, f"no document names {path.name}"


def test_what_documents_name_is_there() -> None:
    named = {
        name
        for page in DOCUMENTS
        for name in re.findall(r"benchmarks/results/([\w.-]+\.(?:json|md))", page.read_text(encoding="utf-8"))
    }
    assert named <= {path.name for path in RESULTS}
    assert named


def test_every_benchmark_writes_down_its_circumstances() -> None:
    scripts = sorted((ROOT / "benchmarks").glob("*.py"))
    without = [script.name for script in scripts if "Circumstances.now()" not in script.read_text()]
    assert scripts
    assert without == []
