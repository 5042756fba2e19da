"""The plugin's classes for a TensorRT module at hand, and their place in its registry."""

from __future__ import annotations

import importlib
import types
from functools import cache
from typing import Any

from edge_retrieve.runtime.backends.plugins.definition import PLUGIN_NAME, PLUGIN_NAMESPACE
from edge_retrieve.runtime.backends.plugins.kernels import Kernels
from edge_retrieve.runtime.backends.plugins.plugin import RoiMeanCreator, RoiMeanPlugin, plugin_interfaces
from edge_retrieve.runtime.errors import BackendError, MissingExtraError


@cache
def plugin_types(trt: Any) -> tuple[type[RoiMeanPlugin], type[RoiMeanCreator]]:
    """Return plugin and creator as classes of one TensorRT module.

    Parameters
    ----------
    trt : module
        ``tensorrt`` or ``tensorrt_rtx``.

    Raises
    ------
    BackendError
        The module is older than ``IPluginV3``.
    """
    if not hasattr(trt, "IPluginV3OneRuntime"):
        raise BackendError(
            f"version {getattr(trt, '__version__', 'unknown')} has no IPluginV3",
            where=trt.__name__,
            remedy="Install TensorRT 10.3 or later",
        )

    def joined(name: str, bases: tuple[Any, ...], **attributes: Any) -> Any:
        return types.new_class(name, bases, exec_body=lambda namespace: namespace.update(attributes, trt=trt))

    plugin = joined("RoiMeanPluginV3", (RoiMeanPlugin, *plugin_interfaces(trt)))
    creator = joined("RoiMeanCreatorV3", (RoiMeanCreator, trt.IPluginCreatorV3One), plugin=plugin)
    return plugin, creator


def import_tensorrt(name: str = "tensorrt") -> Any:
    """Return the TensorRT module.

    Parameters
    ----------
    name : str
        ``tensorrt`` or ``tensorrt_rtx``.

    Raises
    ------
    MissingExtraError
        It is not installed, or its libraries do not load.
    """
    extra = {"tensorrt": "tensorrt", "tensorrt_rtx": "rtx"}[name]
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise MissingExtraError(
            f"cannot be imported ({error})",
            where=name,
            remedy=f'Install it with: pip install "edge-retrieve[{extra}]"',
        ) from error


_registered: list[RoiMeanCreator] = []


def register(trt: Any, kernels: Kernels) -> RoiMeanCreator:
    """Make the plugin known to TensorRT, before a graph is parsed or an engine opened.

    Parameters
    ----------
    trt : module
    kernels : Kernels

    Returns
    -------
    RoiMeanCreator
        Of an earlier call with the same folder, where there was one.

    Raises
    ------
    BackendError
        The name is taken, by another library or with kernels of another folder.
    """
    for creator in _registered:
        if creator.trt is trt and creator.kernels.folder == kernels.folder:
            return creator
    creator = plugin_types(trt)[1](kernels)
    if not trt.get_plugin_registry().register_creator(creator, PLUGIN_NAMESPACE):
        raise BackendError(
            f"a plugin of this name is registered already in {trt.__name__}",
            where=f"{PLUGIN_NAMESPACE}::{PLUGIN_NAME}",
            remedy="Use one folder of kernels in a process",
        )
    _registered.append(creator)  # TensorRT keeps no reference to it
    return creator
