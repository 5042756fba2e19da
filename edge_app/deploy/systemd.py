"""The server as a hardened systemd service."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge_retrieve.edge_app.deploy.serving import Serving
from edge_retrieve.edge_app.deploy.templating import fill
from edge_retrieve.runtime.errors import ConfigError

UNIT_NAME = "edge-retrieve.service"
SYSUSERS_NAME = "edge-retrieve.sysusers.conf"
STATE = PurePosixPath("/var/lib/edge-retrieve")

_HIDDEN = ("/home", "/root", "/run/user")  # by ProtectHome
_ANYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Site:
    """What the unit must know of the machine.

    Parameters
    ----------
    program : Path
        The installed ``edge-retrieve``.
    user : str
    networks : tuple of str
        Addresses and networks (CIDR) besides this machine that it may talk with: readers, the PACS.
    gpu : bool
        Whether it needs the devices of a GPU.
    makes_code : bool
        Whether its engine compiles code while it runs (OpenVINO, CUDA).
    """

    program: Path
    user: str = "edge-retrieve"
    networks: tuple[str, ...] = ()
    gpu: bool = False
    makes_code: bool = False


def unit_files(serving: Serving, site: Site) -> dict[str, str]:
    """Return the unit and the declaration of its user, by file name.

    Raises
    ------
    ConfigError
        Where the store lies in somebody's home, a network is none, or the server listens to others and no
        network is named.
    """
    store = _absolute(serving.store, "--store")
    for path in (store, *([_absolute(serving.bundle, "--bundle")] if serving.bundle else [])):
        if str(path).startswith(tuple(f"{folder}/" for folder in _HIDDEN)):
            raise ConfigError(
                "the service sees nobody's home",
                where=str(path),
                remedy=f"Put it below {STATE}, owned by the user {site.user}",
            )
    if not store.is_relative_to(STATE):
        write_paths, also_writes = f"ReadWritePaths={quoted(str(store))}", " and to the store"
    else:
        write_paths, also_writes = "", ""
    devices = "PrivateDevices=yes\nDevicePolicy=closed"
    if site.gpu:
        devices = (
            "DevicePolicy=closed\nDeviceAllow=char-nvidia-frontend rw\nDeviceAllow=char-nvidia-uvm rw\n"
            "DeviceAllow=/dev/nvidia0 rw\nDeviceAllow=/dev/nvhost-gpu rw\nDeviceAllow=/dev/nvmap rw"
        )
    executable_memory = "MemoryDenyWriteExecute=yes"
    if site.gpu or site.makes_code:
        executable_memory = "# Its engine compiles code while it runs, so memory may become executable."
    command = " ".join(quoted(word) for word in (str(site.program), "serve", *serving.arguments))
    return {
        UNIT_NAME: fill(
            UNIT_NAME,
            command=command,
            stop_seconds=serving.stop_seconds,
            user=site.user,
            also_writes=also_writes,
            write_paths=write_paths,
            addresses=" ".join(_addresses(serving, site)),
            devices=devices,
            executable_memory=executable_memory,
        ),
        SYSUSERS_NAME: fill("sysusers.conf", user=site.user),
    }


def quoted(word: str) -> str:
    """Return a word as systemd reads it in a command line (systemd.service(5), Command lines)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(letter in escaped for letter in " \t'\";\\") or not word else escaped


def _absolute(path: Path, option: str) -> Path:
    if not path.is_absolute():
        raise ConfigError(
            f"'{path}' depends on the current folder", where=option, remedy="Give the whole path, from / on"
        )
    return path


def _addresses(serving: Serving, site: Site) -> Sequence[str]:
    for network in site.networks:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise ConfigError(
                f"'{network}' is no network ({error})",
                where="--allow",
                remedy="Write an address or a network, such as 10.1.2.3 or 10.1.0.0/16",
            ) from error
    if serving.host not in ("127.0.0.1", "::1", "localhost") and not site.networks:
        raise ConfigError(
            f"the server would listen on {serving.host}, but nobody may reach it",
            where="--allow",
            remedy="Name the networks of the readers, or listen on 127.0.0.1 behind a proxy",
        )
    return ("localhost", *site.networks)
