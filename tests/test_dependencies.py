"""Which house may import what. Read from the source, so that a lazy import counts too."""

from __future__ import annotations

import ast
import importlib.metadata as metadata
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
HOUSES = ("runtime", "train", "export", "edge_app")
PREFIX = "edge_retrieve."
# Loaded where the application needs them, never by the light runtime.
HEAVY = {"torch", "torchvision", "transformers"}
ENGINES = {"onnxruntime", "openvino", "tensorrt", "tensorrt_rtx", "pycuda"}
# What `bench search` compares with, loaded by that alone.
PEERS = {"faiss", "hnswlib", "lancedb", "pyarrow", "sqlite_vec"}
UPPER_HOUSES = tuple(PREFIX + house for house in HOUSES if house != "runtime")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Import:
    """One import statement: `module` imports `target`; `eager` where importing the module runs it."""

    module: str
    target: str
    line: int
    eager: bool

    @property
    def top(self) -> str:
        return self.target.split(".")[0]

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return PREFIX + ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> list[Path]:
    return sorted(path for house in HOUSES for path in (ROOT / house).rglob("*.py"))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk_imports(node: ast.AST, eager: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, eager
        else:
            lazy = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_type_checking(
                child
            )
            yield from walk_imports(child, eager and not lazy)


@cache
def imports() -> tuple[Import, ...]:
    known = {module_name(path) for path in modules()}
    found = []
    for path in modules():
        name = module_name(path)
        for node, eager in walk_imports(ast.parse(path.read_text(), str(path)), True):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                assert node.level == 0, f"{name}:{node.lineno}: a relative import; write it out"
                base = node.module or ""
                # `from package import module` loads the module too.
                children = [f"{base}.{alias.name}" for alias in node.names]
                targets = [base, *(child for child in children if child in known)]
            found += [Import(name, target, node.lineno, eager) for target in targets]
    return tuple(found)


def of(house: str) -> list[Import]:
    return [found for found in imports() if (found.module + ".").startswith(PREFIX + house + ".")]


def eager_closure(start: str) -> dict[str, str]:
    """Return module -> the chain of imports by which importing `start` loads it."""
    edges: dict[str, list[str]] = {}
    for found in imports():
        if found.eager:
            edges.setdefault(found.module, []).append(found.target)
    chains = {start: start}
    queue = [start]
    while queue:
        module = queue.pop()
        parents = [module.rsplit(".", 1)[0]] if module.startswith(PREFIX) and module.count(".") > 1 else []
        for target in edges.get(module, []) + parents:
            if target not in chains:
                chains[target] = f"{chains[module]} -> {target}"
                queue.append(target)
    return chains


def test_the_walk_sees_lazy_and_eager_imports() -> None:
    lines = [
        "import a",
        "def f():",
        " import b",
        "if TYPE_CHECKING:",
        " import c",
        "with x:",
        " from d import e",
    ]
    source = "\n".join(lines)
    seen = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name): eager
        for node, eager in walk_imports(ast.parse(source), True)
    }
    assert seen == {"a": True, "b": False, "c": False, "d": True}
    assert any(found.target == "edge_retrieve.runtime.anatomy" for found in imports())


@pytest.mark.parametrize("forbidden", ["torch", "torchvision", "transformers", "cv2", "onnx", *UPPER_HOUSES])
def test_runtime_never_imports(forbidden: str) -> None:
    wrong = [str(found) for found in of("runtime") if (found.target + ".").startswith(forbidden + ".")]
    assert not wrong, "\n".join(wrong)


def test_runtime_loads_engines_only_when_one_is_opened() -> None:
    wrong = [str(found) for found in of("runtime") if found.top in ENGINES | PEERS and found.eager]
    assert not wrong, "\n".join(wrong)


def test_application_imports_only_the_runtime_when_it_loads() -> None:
    others = (PREFIX + "train", PREFIX + "export")
    wrong = [str(found) for found in of("edge_app") if found.eager and found.target.startswith(others)]
    assert not wrong, "\n".join(wrong)


def test_training_and_export_do_not_reach_up() -> None:
    wrong = [str(f) for f in of("train") if f.target.startswith((PREFIX + "export", PREFIX + "edge_app"))]
    wrong += [str(f) for f in of("export") if f.target.startswith(PREFIX + "edge_app")]
    assert not wrong, "\n".join(wrong)


def test_phantom_stands_on_the_runtime_alone() -> None:
    """The demo renders its archive where torch is absent."""
    allowed = (PREFIX + "runtime", PREFIX + "train.phantom")
    for found in of("train.phantom"):
        assert found.top not in HEAVY, found
        if found.target.startswith(PREFIX):
            assert found.target.startswith(allowed), found


def test_importing_a_light_module_loads_nothing_heavy() -> None:
    light = tuple(PREFIX + house for house in ("runtime", "edge_app", "train.phantom"))
    for module in map(module_name, modules()):
        if module.startswith(light):
            heavy = [
                c for target, c in eager_closure(module).items() if target.split(".")[0] in HEAVY | {"onnx"}
            ]
            assert not heavy, heavy


def declared(extras: tuple[str, ...]) -> set[str]:
    """Return the distributions that the project itself asks for, with some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [
        *project["dependencies"],
        *(line for e in extras for line in project["optional-dependencies"][e]),
    ]
    return {canonicalize_name(Requirement(line).name) for line in lines}


@pytest.mark.parametrize(
    ("house", "extras"),
    [
        ("runtime", ("cpu", "gpu", "openvino", "tensorrt", "rtx")),
        ("train.phantom", ("app",)),
        ("train", ("train", "app")),
        ("export", ("train", "export", "rtx", "tensorrt")),
        ("edge_app", ("cpu", "app", "dicom", "bench-search")),
    ],
)
def test_every_import_is_declared(house: str, extras: tuple[str, ...]) -> None:
    """What happens to be installed here may be missing on the user's machine."""
    distributions = metadata.packages_distributions()
    allowed = declared(extras) | {"edge-retrieve"}
    for found in of(house):
        if found.top in sys.stdlib_module_names or found.target.startswith(PREFIX):
            continue
        if found.top in ENGINES | PEERS and found.top not in distributions:
            continue  # not installed here; test_packaging holds that an extra names it
        owners = {canonicalize_name(name) for name in distributions.get(found.top, [])}
        assert owners & allowed, f"{found}, which no extra of {extras} declares"
