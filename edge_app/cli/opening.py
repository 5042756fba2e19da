"""From a command's options to an open workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_retrieve.edge_app.settings import SETTINGS, ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import PrecisionChoice, read_trust

_NAMES = frozenset(setting.name for setting in SETTINGS)


def split_settings(options: dict[str, Any]) -> tuple[ServerSettings, dict[str, Any]]:
    """Return the options that are rows of the settings table, and the rest; other rows keep their defaults.

    Raises
    ------
    ConfigError
        Where a value is wrong.
    """
    rest = {name: value for name, value in options.items() if name not in _NAMES}
    return ServerSettings.from_options({name: options[name] for name in options.keys() - rest.keys()}), rest


def open_workspace(
    store_path: Path, bundle_path: Path | None, settings: ServerSettings, *, create: bool = False
) -> Workspace:
    """Open a store and the model that belongs to it, as the settings say.

    Raises
    ------
    StoreError, BundleError, BackendError
        As `Workspace`.
    """
    return Workspace(
        store_path,
        bundle_path,
        trust=read_trust(settings.trusted_keys, settings.allow_unsigned),
        backend=Backend(settings.backend),
        precision=PrecisionChoice(settings.precision),
        require_gpu=settings.require_gpu,
        engines=settings.engines,
        abstain_below=settings.abstain_below,
        site=settings.site,
        create=create,
    )
