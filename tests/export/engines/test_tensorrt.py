"""What the builder of TensorRT sets, on a made configuration; the building is shared, and tested with RTX."""

from __future__ import annotations

import sys
from enum import Enum
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import main
from edge_retrieve.export.engines.bundle_engines import build_engines
from edge_retrieve.export.engines.options import EngineOptions, Limits
from edge_retrieve.export.engines.tensorrt import TensorRtBuilder
from edge_retrieve.runtime.backends.gpu import Gpu
from edge_retrieve.runtime.bundle import DEMO_BUNDLE, Graph, Precision, RoiAlign, load_bundle
from edge_retrieve.runtime.errors import ConfigError, ExportError

ORIN = Gpu("Orin", (8, 7))


class Cache:
    def __init__(self, content):
        self.content = content

    def serialize(self):
        return self.content + b" and more"


class Config:
    """As ``IBuilderConfig``; takes timing caches that begin as its own do."""

    def __init__(self):
        self.flags, self.cache, self.hardware_compatibility_level = [], None, "default"

    def set_flag(self, flag):
        self.flags.append(flag)

    def create_timing_cache(self, content):
        return Cache(content)

    def set_timing_cache(self, cache, ignore_mismatch):
        if cache.content and not cache.content.startswith(b"mine"):
            return False
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache


@pytest.fixture
def builder():
    trt = SimpleNamespace(
        __version__="10.3.0",
        BuilderFlag=SimpleNamespace(VERSION_COMPATIBLE="version compatible"),
        HardwareCompatibilityLevel=Enum("Level", {"NONE": 0, "AMPERE_PLUS": 1}),
    )
    return TensorRtBuilder(trt, ORIN)


def test_compatibility_is_set_only_where_it_is_asked_for(builder):
    config = Config()
    builder.configure(config, EngineOptions())
    assert (config.flags, config.hardware_compatibility_level, config.cache) == ([], "default", None)
    builder.configure(config, EngineOptions(version_compatible=True, hardware_compatibility="ampere_plus"))
    assert config.flags == ["version compatible"]
    assert config.hardware_compatibility_level.name == "AMPERE_PLUS"
    with pytest.raises(ConfigError, match=r"10\.3\.0 has no level 'same_compute_capability'"):
        builder.configure(config, EngineOptions(hardware_compatibility="same_compute_capability"))


def test_timings_are_read_added_to_and_replaced_where_they_are_of_another_card(builder, tmp_path):
    path = tmp_path / "new" / "timing.cache"
    options = EngineOptions(timing_cache=path)
    for before, after in [(None, b" and more"), (b"mine", b"mine and more"), (b"other", b" and more")]:
        if before is not None:
            path.write_bytes(before)
        config = Config()
        builder.configure(config, options)
        builder.finish(config, options)
        assert path.read_bytes() == after
    with pytest.raises(ExportError, match=r"the timing cache cannot be read.*--timing-cache"):
        builder.configure(Config(), EngineOptions(timing_cache=tmp_path))


def test_it_builds_for_its_own_card_only(builder):
    assert builder.targets(EngineOptions()) == builder.targets(EngineOptions(capabilities=((8, 7),)))
    assert builder.targets(EngineOptions()).gpu_name == "Orin"
    with pytest.raises(ConfigError, match=r"this one has 8\.7.*export tensorrt-rtx"):
        builder.targets(EngineOptions(capabilities=((8, 9),)))


def test_regions_are_pooled_by_products_unless_there_are_kernels(builder, tmp_path):
    assert builder.roi_align(EngineOptions()) is RoiAlign.MATMUL
    with pytest.raises(ExportError, match=r"holds no kernels.*edge-retrieve export plugins"):
        build_engines(load_bundle(), builder, EngineOptions(kernels=tmp_path), root=tmp_path / "engines")


def test_default_profiles_cover_what_this_program_asks_for():
    manifest = load_bundle().manifest
    profiles = Limits().profiles(manifest)
    size, side = manifest.image_size, manifest.image_size // manifest.feature_stride
    (pixels,) = profiles[Graph.IMAGE_ENCODER]
    pixels.check((8, 1, size, size), "ingest")
    features, boxes = profiles[Graph.REGION_ENCODER]
    features.check((8, manifest.feature_channels, side, side), "ingest")
    boxes.check((8, 29, 4), "ingest")
    boxes.check((1, 3 * 24 * 24, 4), "phrase maps")
    for item in profiles[Graph.TEXT_ENCODER]:
        item.check((64, manifest.max_text_tokens), "ingest")
        item.check((1, 1), "a word")
    small = Limits(images=1, boxes=5, texts=2).profiles(manifest)
    assert small[Graph.REGION_ENCODER][1].best == (1, 5, 4)
    assert small[Graph.TEXT_ENCODER][0].largest[0] == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Limits(boxes=0), "--max-boxes: 0 is below 1"),
        (lambda: EngineOptions(precision=Precision.INT8), "engines are built in fp16 or fp32"),
        (lambda: EngineOptions(hardware_compatibility="any"), "'any' is unknown"),
    ],
)
def test_wrong_options_are_named(wrong, message):
    with pytest.raises(ConfigError, match=message):
        wrong()


def test_without_tensorrt_the_command_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    result = CliRunner().invoke(main, ["export", "tensorrt", str(DEMO_BUNDLE), "--out", str(tmp_path)])
    assert (result.exit_code, 'pip install "edge-retrieve[tensorrt]"' in result.output) == (1, True)
    assert not list(tmp_path.iterdir())
