"""Every setting of the server, in one table that the command line and docs/settings.md follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

from edge_retrieve.edge_app.access_settings import AccessSettings
from edge_retrieve.edge_app.dicom_settings import DicomSettings
from edge_retrieve.edge_app.llm_settings import LlmSettings
from edge_retrieve.edge_app.pacs_settings import PacsSettings
from edge_retrieve.edge_app.setting_rows import Setting, Value, row
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import PrecisionChoice
from edge_retrieve.runtime.calibration import ABSTAIN_BELOW
from edge_retrieve.runtime.errors import ConfigError


@dataclass(frozen=True)
class ServerSettings(LlmSettings, PacsSettings, DicomSettings, AccessSettings):
    """The settings of one server, checked. Its fields are the table; `SETTINGS` lists them."""

    host: str = row(
        "127.0.0.1",
        "address",
        "Address to listen on. The default is reachable from this machine only; any other one needs users.",
    )
    port: int = row(8080, "TCP port", "Port to listen on; 0 takes a free one.", smallest=0, largest=65535)
    root_path: str = row(
        "",
        "URL path",
        "Path below which a reverse proxy serves the page, such as /xray; empty for none.",
    )
    allowed_hosts: str = row(
        "",
        "host names, comma separated",
        "Host names a request may be addressed to besides the one listened on and localhost; * for any.",
    )
    backend: str = row(
        Backend.AUTO.value,
        "engine",
        "Inference engine that runs the model.",
        choices=tuple(backend.value for backend in Backend),
    )
    precision: str = row(
        PrecisionChoice.AUTO.value,
        "form of the model",
        "Precision of the graphs that ONNX Runtime or OpenVINO runs; auto takes fp16 on CUDA and int8 in "
        "OpenVINO where the bundle has it, else the bundle's default form.",
        choices=tuple(choice.value for choice in PrecisionChoice),
    )
    require_gpu: bool = row(False, "yes or no", "Refuse to start rather than compute on the CPU.")
    engines: str = row(
        "",
        "folder",
        "Folder of the engines of TensorRT and TensorRT for RTX; the user's cache folder if left out.",
    )
    trusted_keys: str = row(
        "",
        "file or folder",
        "Public keys whose signature on a bundle counts: a file with one a line, or a folder of *.pub files.",
    )
    allow_unsigned: bool = row(False, "yes or no", "Use a bundle that bears no signature.")
    max_upload_mib: int = row(64, "MiB", "Largest request that is accepted.", smallest=1, largest=4096)
    kept_uploads: int = row(
        16,
        "images",
        "Uploaded images kept for querying; the oldest goes first.",
        smallest=1,
        largest=1000,
    )
    abstain_below: float = row(
        ABSTAIN_BELOW,
        "probability",
        "No sufficiently similar case where no case is as likely as this to share the finding in the region; "
        "by default, where even the best is more likely wrong than right. For calibrated bundles.",
        smallest=0,
        largest=1,
    )
    drain_seconds: int = row(
        30,
        "seconds",
        "How long requests that have begun may go on when the server is ended (SIGTERM, Ctrl-C).",
        smallest=1,
        largest=600,
    )
    max_hits: int = row(100, "studies", "Most cases one query may ask for.", smallest=1, largest=10_000)
    ingest_folders: str = row(
        "",
        "folders, colon separated",
        "Folders below which a job may read X-rays; none if left out. Uploads can be ingested without.",
    )
    backup_folder: str = row(
        "", "folder", "Folder into which a job may write copies of the store; none if left out."
    )

    def __post_init__(self) -> None:
        for setting in SETTINGS:
            setting.check(getattr(self, setting.name))
        self.check_dicom()
        self.check_pacs()
        self.check_access()
        self.endpoint()
        if self.root_path and (not self.root_path.startswith("/") or self.root_path.endswith("/")):
            raise ConfigError(
                f"'{self.root_path}' is not a path to serve below",
                where="--root-path",
                remedy="Begin it with a slash and end it without one, as in /xray",
            )

    @classmethod
    def from_options(cls, options: Mapping[str, Value]) -> ServerSettings:
        """Build the settings from option values by name; what is left out keeps its default.

        Raises
        ------
        ConfigError
            Where a name is unknown or a value is wrong.
        """
        known = {setting.name for setting in SETTINGS}
        for name in options:
            if name not in known:
                raise ConfigError(
                    "there is no such setting", where=name, remedy=f"Known are {', '.join(sorted(known))}"
                )
        return cls(**options)  # type: ignore[arg-type]  # __post_init__ checks every kind

    @property
    def folders_to_ingest(self) -> tuple[Path, ...]:
        """Folders below which a job may read X-rays."""
        return tuple(Path(part) for part in self.ingest_folders.split(":") if part.strip())

    def missing_folders(self) -> tuple[str, ...]:
        """Say in a sentence each which folders for jobs are not there; a medium may be mounted later."""
        named = [("--ingest-folders", folder) for folder in self.folders_to_ingest]
        if self.backup_folder:
            named.append(("--backup-folder", Path(self.backup_folder)))
        return tuple(
            f"{option} {folder}: there is no such folder yet. Jobs that need it fail until there is."
            for option, folder in named
            if not folder.is_dir()
        )

    @property
    def hosts(self) -> frozenset[str]:
        """Host names that a request may be addressed to, in lower case; ``*`` where any goes."""
        named = {name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip()}
        if self.host in ("0.0.0.0", "::"):
            # Listening everywhere: the machine's names are unknown here, unless some are given.
            return frozenset(named | {"localhost", "127.0.0.1", "::1"}) if named else frozenset({"*"})
        return frozenset(named | {"localhost", "127.0.0.1", "::1", self.host.lower()})


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(name=each.name, default=cast(Value, each.default), **each.metadata)
    # Its own come first, then those of access, of the DICOM node, of the PACS, and of the language model.
    for each in sorted(
        fields(ServerSettings),
        key=lambda each: (
            each.name in LlmSettings.__annotations__,
            each.name in PacsSettings.__annotations__,
            each.name in DicomSettings.__annotations__,
            each.name in AccessSettings.__annotations__,
        ),
    )
)

__all__ = ["SETTINGS", "ServerSettings", "Setting", "Value"]
