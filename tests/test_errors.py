"""Errors a user can act on: how they read, and that the houses raise no others."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
from functools import cache
from pathlib import Path

import pytest

from edge_retrieve.runtime import errors

ROOT = Path(__file__).parents[1]
HOUSES = ("runtime", "train", "export", "edge_app")
TYPED = {
    name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)
}


def test_message_says_what_where_and_what_to_do() -> None:
    error = errors.BundleError("model.onnx differs", where="bundle.tar", remedy="Copy it again")
    assert str(error) == "bundle.tar: model.onnx differs. Copy it again."


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory", "/no"), "No such file or directory"),
        (ValueError("no digit"), "no digit"),
        (EOFError(), "EOFError"),
    ],
)
def test_the_reason_of_anothers_error_is_one_for_people(error: Exception, reason: str) -> None:
    assert errors.reason_of(error) == reason


@pytest.mark.parametrize(
    ("where", "remedy", "message"),
    [
        ("", "", "no cases."),
        ("store", "", "store: no cases."),
        ("", "Run ingest", "no cases. Run ingest."),
        ("", "Run ingest.", "no cases. Run ingest."),
    ],
)
def test_message_leaves_out_what_is_not_known(where: str, remedy: str, message: str) -> None:
    assert str(errors.StoreError("no cases", where=where, remedy=remedy)) == message


@pytest.mark.parametrize("name", sorted(TYPED))
def test_every_error_survives_a_worker_process(name: str) -> None:
    """A process pool hands errors over pickled."""
    kind = getattr(errors, name)
    error = kind("it broke", where="a.dcm", remedy="Mend it")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is kind
        assert str(twin) == str(error)
        assert (twin.what, twin.where, twin.remedy) == ("it broke", "a.dcm", "Mend it")


def test_every_error_is_one_kind() -> None:
    for name in TYPED:
        assert issubclass(getattr(errors, name), errors.EdgeRetrieveError)


@cache
def house_nodes() -> list[tuple[str, ast.AST]]:
    return [
        (f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node)
        for house in HOUSES
        for path in sorted((ROOT / house).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(), str(path)))
    ]


def test_typed_errors_say_where_or_what_to_do() -> None:
    mute = []
    for place, node in house_nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TYPED:
            named = {keyword.arg for keyword in node.keywords}
            if not named & {"where", "remedy", None}:
                mute.append(f"{place}: {ast.unparse(node)}")
    assert not mute, "\n".join(mute)


def test_houses_raise_no_nameless_errors() -> None:
    nameless = {"Exception", "BaseException", "RuntimeError", "SystemError"}
    found = []
    for place, node in house_nodes():
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(raised, ast.Name) and raised.id in nameless:
                found.append(f"{place}: {ast.unparse(node)}")
    assert not found, "\n".join(found)


def test_no_error_is_swallowed_whole() -> None:
    found = []
    for place, node in house_nodes():
        if isinstance(node, ast.ExceptHandler):
            silent = all(isinstance(statement, ast.Pass) for statement in node.body)
            broad = node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}
            if node.type is None or (broad and silent):
                found.append(place)
        if isinstance(node, ast.Call) and ast.unparse(node).endswith(
            ("suppress(Exception)", "suppress(BaseException)")
        ):
            found.append(place)
    assert not found, found
