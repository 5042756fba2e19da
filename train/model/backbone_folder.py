"""A pretrained model in a local folder: its configuration and its weights, never a download.

The folder is what ``save_pretrained`` of the `transformers` library writes, or what a model's page offers for
download: ``config.json`` and ``model.safetensors`` (or ``pytorch_model.bin``). Code in the folder is not run.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from edge_retrieve.runtime.errors import ConfigError

# CXR-BERT names a class of its own, which is a BERT with further heads that are not used here.
_ALIASES = {"cxr-bert": "bert"}
# Two passes over one batch have to agree: cached gradients and resumed runs rest on it.
_DROPOUTS = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "attention_dropout", "hidden_dropout"),
    *("drop_path_rate", "dropout", "dropout_rate", "layerdrop"),
)
_NOT_ARCHITECTURE = ("auto_map", "_name_or_path", "transformers_version", "torch_dtype", "dtype")


@dataclass(frozen=True)
class Pretrained:
    """What was read of a folder.

    Parameters
    ----------
    architecture : str
        JSON text that `build_backbone` makes the empty model of.
    weights : mapping of str to Tensor
        For its ``load_state_dict``.
    missing : frozenset of str
        Parameters of the model that the folder holds no weights for.
    """

    architecture: str
    weights: Mapping[str, Tensor]
    missing: frozenset[str]


def backbone_folder(path: str, where: str) -> Path:
    """Return a backbone's folder.

    Parameters
    ----------
    path : str
        As configured; ``~`` stands for the home folder.
    where : str
        Name of the setting, for the error.

    Raises
    ------
    ConfigError
        It is no folder, as where the name of a model on a hub is given, or it has no ``config.json``.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise ConfigError(
            f"{path} is not a folder on this machine",
            where=where,
            remedy="Nothing is downloaded here. Fetch the model on another machine, copy it over, "
            "and give the folder that holds its config.json",
        )
    if not (folder / "config.json").is_file():
        raise ConfigError(f"{folder} has no config.json", where=where, remedy="Give the model's own folder")
    return folder


def read_json(path: Path, where: str) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises
    ------
    ConfigError
        It cannot be read, or is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is not readable as JSON ({error})", where=where) from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no JSON object", where=where)
    return content


def read_architecture(folder: Path, where: str) -> str:
    """Return the architecture of a folder's model as JSON text, without dropout and without paths.

    Raises
    ------
    ConfigError
        ``config.json`` names no architecture that this installation knows.
    """
    content = read_json(folder / "config.json", where)
    kind = str(content.get("model_type", ""))
    content["model_type"] = _ALIASES.get(kind, kind)
    for name in _NOT_ARCHITECTURE:
        content.pop(name, None)
    config = _config(json.dumps(content), f"{where}: {folder / 'config.json'}")
    changes = {name: 0.0 for name in _DROPOUTS if isinstance(getattr(config, name, None), float)}
    return json.dumps({**content, **changes}, sort_keys=True)


def _config(architecture: str, where: str) -> Any:
    content = json.loads(architecture)
    kind = content.pop("model_type", "")
    try:
        return AutoConfig.for_model(kind, **content)
    except Exception as error:  # the library raises many kinds, some of other packages
        raise ConfigError(
            f"no usable model configuration of type {kind!r} ({error})",
            where=where,
            remedy="Use a vision or BERT-like model that the installed transformers library knows",
        ) from None


def build_backbone(architecture: str, *, attention: str, where: str, device: str | None = None) -> nn.Module:
    """Make the model of an architecture, its weights not yet loaded.

    Parameters
    ----------
    architecture : str
        As `read_architecture` returns it.
    attention : str
        ``sdpa`` or ``eager``; a model without the first gets the second.
    where : str
        Name of the setting, for the error.
    device : str, optional
        ``meta`` makes a model of shapes alone.

    Raises
    ------
    ConfigError
        The library cannot make it.
    """
    config = _config(architecture, where)
    with torch.device(device) if device else nullcontext(), _quiet():
        for choice in dict.fromkeys((attention, "eager")):
            try:
                return _without_pooling(config, choice)
            except Exception as error:  # the library raises many kinds
                problem = str(error)
    raise ConfigError(f"the model cannot be made ({problem})", where=where)


def _without_pooling(config: Any, attention: str) -> nn.Module:
    """Leave out the pooling layer where a class has one: nothing here is computed from it."""
    try:
        model = AutoModel.from_config(config, attn_implementation=attention, add_pooling_layer=False)
    except TypeError:
        model = AutoModel.from_config(config, attn_implementation=attention)
    assert isinstance(model, nn.Module)
    return model


def load_backbone(folder: Path, where: str, *, reads: str) -> Pretrained:
    """Read architecture and weights of a folder, in float32.

    Parameters
    ----------
    folder : Path
    where : str
        Name of the setting, for the error.
    reads : str
        Input that the model has to take: ``pixel_values`` or ``input_ids``.

    Raises
    ------
    ConfigError
        The configuration is not usable, or the weights are missing, damaged or of another model.
    """
    architecture = read_architecture(folder, where)
    empty = build_backbone(architecture, attention="eager", where=where, device="meta")
    kind: Any = type(empty)
    if kind.main_input_name != reads:
        raise ConfigError(
            f"{folder} holds a {kind.__name__}, which reads {kind.main_input_name}, not {reads}",
            where=where,
            remedy="Swap the folders where image and text backbone were mistaken for each other",
        )
    further = {"add_pooling_layer": False} if _takes_pooling(kind) else {}
    try:
        with _quiet():
            model, found = kind.from_pretrained(
                folder,
                config=_config(architecture, where),
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                dtype=torch.float32,
                **further,
            )
    except Exception as error:  # torch, safetensors and the library raise many kinds
        raise ConfigError(
            f"the weights in {folder} cannot be loaded ({error})",
            where=where,
            remedy="Copy the folder again: its config.json and model.safetensors belong together",
        ) from None
    return Pretrained(architecture, model.state_dict(), frozenset(found["missing_keys"]))


def _takes_pooling(kind: type[nn.Module]) -> bool:
    return "add_pooling_layer" in inspect.signature(kind.__init__).parameters


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library's notes (unused heads of a checkpoint) and its progress bar; errors still raise."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
