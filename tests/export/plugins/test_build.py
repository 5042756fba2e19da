"""What nvcc makes of the kernels, for every architecture: no spills, vector loads, no atomics."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_retrieve.export.plugins.build import (
    ARCHITECTURES,
    KernelBuild,
    build_kernels,
    parse_resources,
)
from edge_retrieve.runtime.backends.plugins.kernels import PTX_FILE, choose_image
from edge_retrieve.runtime.backends.plugins.launch import FeatureMap, Layout, Precision
from edge_retrieve.runtime.errors import ExportError

FORMS = [(layout, precision, stride) for layout in Layout for precision in Precision for stride in (7, 8)]
# Every kernel that a feature map can ask for.
KERNELS = {FeatureMap(1, 7, 4, 4, *form).kernel for form in FORMS}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, need) -> KernelBuild:
    need("nvcc")
    return build_kernels(tmp_path_factory.mktemp("kernels") / "made" / "here")


def test_every_kernel_compiles_for_every_architecture_without_spills(built):
    architectures = {f"sm_{major}{minor}" for major, minor in ARCHITECTURES}
    assert {(it.kernel, it.architecture) for it in built.resources} == {
        (kernel, architecture) for kernel in KERNELS for architecture in architectures
    }
    for resources in built.resources:
        assert (resources.spill_stores, resources.spill_loads) == (0, 0), resources
        assert 0 < resources.registers <= 128, resources
        assert 0 < resources.shared_bytes <= 48 * 1024, resources  # what every card gives without asking


def test_each_device_finds_its_own_binary_and_others_the_ptx(built):
    folder = built.files[0].parent
    images = {choose_image(folder, capability) for capability in (*ARCHITECTURES, (12, 0))}
    assert images == set(built.files)
    for path in built.files:
        content = path.read_bytes()
        assert all(kernel.encode() in content for kernel in KERNELS)
        assert (content[:4] == b"\x7fELF") == (path.suffix == ".cubin")


def functions(ptx: str) -> dict[str, str]:
    parts = re.split(r"\.visible \.entry (\w+)\(", ptx)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_ptx_loads_vectors_where_cells_are_aligned_and_has_no_atomics(built):
    ptx = (built.files[0].parent / PTX_FILE).read_text()
    bodies = functions(ptx)
    assert set(bodies) == KERNELS
    assert not re.search(r"\b(atom|red)\.", ptx)
    for kernel, body in bodies.items():
        # One 128-bit load or more for features; boxes are read number by number.
        assert bool(re.search(r"ld\.global\S*\.v4\.[fub]32", body)) == ("x" in kernel), kernel


def test_a_build_leaves_nothing_where_the_compiler_fails(tmp_path: Path, need):
    need("nvcc")
    with pytest.raises(ExportError, match="the compiler failed"):
        build_kernels(tmp_path / "out", architectures=[(1, 0)])
    assert not (tmp_path / "out").exists()


def test_a_missing_compiler_is_named(tmp_path: Path):
    with pytest.raises(ExportError, match="no-such-nvcc: is not installed"):
        build_kernels(tmp_path, nvcc="no-such-nvcc")


def test_the_report_is_read_and_an_empty_one_does_not_pass_for_no_spills():
    report = """\
ptxas info    : Compiling entry function 'first' for 'sm_87'
ptxas info    : Function properties for first
    32 bytes stack frame, 24 bytes spill stores, 28 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 10828 bytes smem, 400 bytes cmem[0]
ptxas info    : Compiling entry function 'second' for 'sm_87'
ptxas info    : Function properties for second
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 12 registers
"""
    first, second = parse_resources(report)
    assert (first.kernel, first.architecture, first.registers) == ("first", "sm_87", 255)
    assert (first.spill_stores, first.spill_loads, first.shared_bytes) == (24, 28, 10828)
    assert (second.kernel, second.registers, second.shared_bytes) == ("second", 12, 0)
    with pytest.raises(ExportError, match="names no kernel"):
        parse_resources("nvcc: nothing to say")
