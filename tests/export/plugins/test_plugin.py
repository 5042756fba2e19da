"""The plugin as TensorRT uses it: formats, shapes, fields, clones, and launches that really compute."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from edge_retrieve.runtime.backends.plugins.driver import CudaDriver
from edge_retrieve.runtime.backends.plugins.kernels import PTX_FILE, Kernels, choose_image, cubin_file
from edge_retrieve.runtime.backends.plugins.launch import Tactic
from edge_retrieve.runtime.backends.plugins.registration import import_tensorrt, plugin_types, register
from edge_retrieve.runtime.errors import BackendError, MissingExtraError

STREAM = 0x5EED
FORMS = [("HALF", "HWC8"), ("HALF", "LINEAR"), ("FLOAT", "HWC"), ("FLOAT", "LINEAR")]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / cubin_file((8, 7))).write_bytes(b"cubin of Orin")
    (tmp_path / PTX_FILE).write_bytes(b"ptx for all")
    return tmp_path


@pytest.fixture
def cuda(fake_cuda):
    control = ctypes.CDLL(str(fake_cuda))
    control.fake_kernel.restype = control.fake_loaded.restype = ctypes.c_char_p
    control.fake_stream.restype = ctypes.c_size_t
    control.fake_reset(8, 7, 1)
    return control


@pytest.fixture
def kernels(folder, fake_cuda, cuda):
    return Kernels(folder, CudaDriver(str(fake_cuda)))


@pytest.fixture
def plugin(trt, kernels):
    return register(trt, kernels).create_plugin("pool", [], "build")


def tensors(trt, features, boxes, form="LINEAR"):
    """Describe the inputs by the shape of the features and of the boxes."""
    kind = trt.DataType.HALF if features.dtype == np.float16 else trt.DataType.FLOAT
    return [
        trt.described(kind, trt.TensorFormat[form], features.shape),
        trt.described(trt.DataType.FLOAT, trt.TensorFormat.LINEAR, boxes.shape),
    ]


def enqueued(trt, plugin, features, boxes, form):
    """Run the plugin as an execution context does, and return what it wrote."""
    data = trt.laid_out(features, trt.TensorFormat[form])
    out = np.full((features.shape[0], boxes.shape[1], features.shape[1]), np.nan, features.dtype)
    inputs = tensors(trt, features, boxes, form)
    outputs = [trt.described(inputs[0].type, trt.TensorFormat.LINEAR, out.shape)]
    attached = plugin.attach_to_context(None)
    attached.on_shape_change(inputs, outputs)
    attached.enqueue(inputs, outputs, [data.ctypes.data, boxes.ctypes.data], [out.ctypes.data], 0, STREAM)
    return out


@pytest.mark.parametrize(("kind", "form"), FORMS)
@pytest.mark.parametrize("channels", [264, 13])
def test_one_enqueue_is_one_launch_on_the_given_stream_and_computes(
    trt, plugin, cuda, roi_align_mean, kind, form, channels
):
    generator = np.random.default_rng(1)
    features = generator.uniform(-1, 1, (3, channels, 9, 11))
    features = features.astype(np.float16 if kind == "HALF" else np.float32)
    boxes = generator.uniform(-0.2, 1.2, (3, 29, 4)).astype(np.float32)
    expected = roi_align_mean(features, boxes)
    for number, tactic in enumerate(plugin.get_valid_tactics()):
        plugin.set_tactic(tactic)
        out = enqueued(trt, plugin, features, boxes, form)
        assert np.abs(out - expected).max() <= (1e-3 if kind == "HALF" else 1e-5)
        assert cuda.fake_launches() == number + 1
        assert cuda.fake_stream(number) == STREAM
        assert cuda.fake_grid(number, 0) == 3 * 29
    assert cuda.fake_loads() == 1  # clones share the module


def test_no_boxes_need_no_launch(trt, plugin, cuda):
    features = np.ones((1, 8, 4, 4), dtype=np.float32)
    boxes = np.empty((1, 0, 4), dtype=np.float32)
    enqueued(trt, plugin, features, boxes, "LINEAR")
    assert cuda.fake_launches() == 0


def test_kernels_are_loaded_before_a_stream_can_be_under_capture(trt, plugin, cuda):
    features, boxes = np.empty((1, 8, 4, 4), dtype=np.float16), np.empty((1, 2, 4), dtype=np.float32)
    plugin.on_shape_change(tensors(trt, features, boxes, "HWC8"), [])
    assert (cuda.fake_loads(), cuda.fake_launches()) == (1, 0)


def test_the_cubin_of_the_device_or_else_the_ptx(folder, fake_cuda, cuda):
    for capability, image in [
        ((8, 7), b"cubin of Orin"),
        ((8, 9), b"ptx for all"),
        ((12, 0), b"ptx for all"),
    ]:
        cuda.fake_reset(*capability, 1)
        Kernels(folder, CudaDriver(str(fake_cuda))).prepare("roi_mean_nchw_f32")
        assert cuda.fake_loaded(0) == image
    (folder / PTX_FILE).unlink()
    with pytest.raises(BackendError, match=r"sm_89\.cubin nor .*ptx.*edge-retrieve export plugins"):
        choose_image(folder, (8, 9))


def test_each_context_gets_its_own_module_once(kernels, cuda):
    for context in (1, 2, 1, 2):
        ctypes.c_size_t.in_dll(cuda, "fake_context").value = context
        kernels.prepare("roi_mean_nchw_f32")
        kernels.prepare("roi_mean_nhwc_f16x8")
    assert cuda.fake_loads() == 2


def test_what_the_driver_refuses_is_told_with_the_file(kernels, folder, cuda):
    (folder / cubin_file((8, 7))).write_bytes(b"damaged")
    with pytest.raises(BackendError, match=r"sm_87\.cubin.*CUDA_ERROR_NO_BINARY_FOR_GPU \(209\)"):
        kernels.prepare("roi_mean_nchw_f32")
    (folder / cubin_file((8, 7))).write_bytes(b"good")
    with pytest.raises(BackendError, match="cuModuleGetFunction failed"):
        kernels.prepare("roi_mean_nothing")
    cuda.fake_reset(8, 7, 0)
    with pytest.raises(BackendError, match="no CUDA context is current"):
        kernels.prepare("roi_mean_nchw_f32")


def test_a_missing_driver_raises_when_a_kernel_is_needed_and_not_before(folder):
    with pytest.raises(BackendError, match="the CUDA driver cannot be loaded"):
        CudaDriver("libcuda-that-is-nowhere.so.1")
    assert Kernels(folder).folder == folder


def test_a_missing_tensorrt_raises_and_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtraError, match=r"edge-retrieve\[tensorrt\]"):
        import_tensorrt()


def test_a_tensorrt_without_the_interface_is_refused():
    class Old(SimpleNamespace):
        __hash__ = object.__hash__

    with pytest.raises(BackendError, match=r"8\.6 has no IPluginV3"):
        plugin_types(Old(__name__="tensorrt", __version__="8.6"))


def test_formats_are_the_four_that_have_a_kernel(trt, plugin):
    linear = trt.dynamic(trt.DataType.FLOAT, trt.TensorFormat.LINEAR)
    supported = {
        (kind.name, form.name)
        for kind in trt.DataType
        for form in trt.TensorFormat
        if plugin.supports_format_combination(0, [trt.dynamic(kind, form), linear, linear], 2)
    }
    assert supported == set(FORMS)


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_boxes_are_float32_and_the_output_has_the_features_type(trt, plugin, kind, form):
    features = trt.dynamic(trt.DataType[kind], trt.TensorFormat[form])
    for other in trt.DataType:
        for layout in trt.TensorFormat:
            asked = [features, trt.dynamic(other, layout), trt.dynamic(other, layout)]
            linear = layout.name == "LINEAR"
            assert plugin.supports_format_combination(1, asked, 2) == (linear and other.name == "FLOAT")
            assert plugin.supports_format_combination(2, asked, 2) == (linear and other.name == kind)


def test_shapes_types_and_workspace(trt, plugin):
    assert plugin.get_output_shapes([["B", "C", "h", "w"], ["B", "R", 4]], [], None) == [["B", "R", "C"]]
    with pytest.raises(BackendError, match="features of 4 axes and boxes of 3, not 3 and 2"):
        plugin.get_output_shapes([["C", "h", "w"], ["R", 4]], [], None)
    kinds = [trt.DataType.HALF, trt.DataType.FLOAT]
    assert plugin.get_output_data_types(kinds) == kinds[:1]
    assert plugin.num_outputs == 1
    assert plugin.get_workspace_size([], []) == 0
    assert plugin.configure_plugin([], []) is None
    assert plugin.get_capability_interface("any") is plugin


@pytest.mark.parametrize("boxes", [(2, 5, 4), (1, 5, 5), (5, 4)])
def test_boxes_that_do_not_fit_are_refused(trt, plugin, boxes):
    inputs = tensors(trt, np.empty((1, 8, 4, 4), dtype=np.float32), np.empty(boxes, dtype=np.float32))
    with pytest.raises(BackendError, match="do not fit features"):
        plugin.on_shape_change(inputs, [])


def test_tactics_are_positive_distinct_and_kept_by_clones(plugin):
    tactics = plugin.get_valid_tactics()
    assert len(set(tactics)) == len(tactics) > 1
    assert min(tactics) > 0
    plugin.set_tactic(tactics[-1])
    assert plugin.clone().tactic is Tactic(tactics[-1])
    plugin.set_tactic(0)  # none chosen
    assert plugin.tactic is Tactic(tactics[-1])
    with pytest.raises(BackendError, match="no tactic 99"):
        plugin.set_tactic(99)


def test_fields_make_the_same_plugin_again(trt, plugin, kernels):
    creator = register(trt, kernels)
    fields = plugin.get_fields_to_serialize()
    assert [field.name for field in fields] == [field.name for field in creator.field_names]
    assert {field.name: field.data.tolist() for field in fields} == {
        "output_height": [7],
        "output_width": [7],
        "sampling_ratio": [2],
    }
    again = creator.create_plugin("pool", fields, "runtime")
    assert again.fields == plugin.fields
    names = {
        (it.plugin_name, it.plugin_version, it.plugin_namespace) for it in (plugin, again, plugin.clone())
    }
    assert names == {("RoiAlignMean", "1", "edge_retrieve")}


def test_a_graph_of_another_definition_is_refused(trt, kernels):
    fields = [trt.PluginField("sampling_ratio", np.array([4], dtype=np.int32), "int32")]
    with pytest.raises(BackendError, match="sampling_ratio is 4, and the kernel computes 2 only"):
        register(trt, kernels).create_plugin("pool", fields, "build")


def test_registering_twice_is_one_creator_and_another_folder_is_refused(trt, kernels, tmp_path):
    creator = register(trt, kernels)
    assert register(trt, Kernels(kernels.folder)) is creator
    assert list(trt.registry.creators) == [("RoiAlignMean", "1", "edge_retrieve")]
    with pytest.raises(BackendError, match="registered already"):
        register(trt, Kernels(tmp_path / "other"))
