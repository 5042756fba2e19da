"""What is to be served: the options of ``serve``, understood once for every form of deployment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edge_retrieve.edge_app.access_settings import is_own
from edge_retrieve.edge_app.settings import SETTINGS, ServerSettings
from edge_retrieve.runtime.errors import ConfigError

_CLOSING_S = 15  # beyond the drain: the store is closed, the engines freed

# Settings that name folders the server writes to; all others that name files or folders are read.
_WRITTEN = ("dicom_folder", "drop_folder", "backup_folder", "site")


@dataclass(frozen=True)
class Serving:
    """A server as its options describe it.

    Parameters
    ----------
    arguments : tuple of str
        Of ``edge-retrieve serve``, as given.
    store : Path
    bundle : Path, optional
    settings : ServerSettings
    """

    arguments: tuple[str, ...]
    store: Path
    bundle: Path | None
    settings: ServerSettings

    @property
    def stop_seconds(self) -> int:
        """How long it may take to end, seconds."""
        return self.settings.drain_seconds + _CLOSING_S

    @property
    def ports(self) -> tuple[int, ...]:
        """The TCP ports it listens on."""
        return tuple(port for port in (self.settings.port, self.settings.dicom_port) if port)

    @property
    def is_for_others(self) -> bool:
        """Whether it listens on an address that other machines reach."""
        dicom = self.settings.dicom_port != 0 and not is_own(self.settings.dicom_host)
        return dicom or not is_own(self.settings.host)

    @property
    def partners(self) -> tuple[tuple[str, str], ...]:
        """Options and the hosts that it calls by itself: a PACS, a language model."""
        model = self.settings.endpoint()
        called = [("--pacs", peer.host) for peer in self.settings.destinations()]
        if model is not None:
            called.append(("--llm", urlsplit(model.url).hostname or ""))
        return tuple(called)

    @property
    def written(self) -> tuple[tuple[str, Path], ...]:
        """Options and their folders that are written to; not the store."""
        return tuple(found for found in self._paths() if _name(found[0]) in _WRITTEN)

    @property
    def read(self) -> tuple[tuple[str, Path], ...]:
        """Options and their files or folders that are only read; the bundle first, where one is named."""
        bundle = (("--bundle", self.bundle),) if self.bundle else ()
        return (*bundle, *(found for found in self._paths() if _name(found[0]) not in _WRITTEN))

    def require_whole_paths(self) -> None:
        """Refuse paths that mean another place where the service runs.

        Raises
        ------
        ConfigError
            Where a path depends on the current folder.
        """
        for option, path in (("--store", self.store), *self.written, *self.read):
            if not path.is_absolute():
                raise ConfigError(
                    f"'{path}' depends on the current folder",
                    where=option,
                    remedy="Give the whole path, from / on",
                )

    def _paths(self) -> tuple[tuple[str, Path], ...]:
        return tuple(
            (setting.option, Path(part))
            for setting in SETTINGS
            if {"file", "folder", "folders"} & set(setting.unit.replace(",", " ").split())
            for part in str(getattr(self.settings, setting.name)).split(":")
            if part
        )


def _name(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")
