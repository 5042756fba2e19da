"""The server as a hardened systemd service."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge_retrieve.edge_app.access_settings import is_own
from edge_retrieve.edge_app.deploy.serving import Serving
from edge_retrieve.edge_app.deploy.templating import fill
from edge_retrieve.runtime.errors import ConfigError

UNIT_NAME = "edge-retrieve.service"
SYSUSERS_NAME = "edge-retrieve.sysusers.conf"
STATE = PurePosixPath("/var/lib/edge-retrieve")

# What sysusers.d(5) takes, in lower case.
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_FIRST_UNPRIVILEGED = 1024  # TCP port
_HIDDEN = ("/home", "/root", "/run/user")  # by ProtectHome


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
        Where the user's name is none, the store lies in somebody's home, a network is none, or the server
        listens to others and no network is named.
    """
    if not _USER.fullmatch(site.user):
        raise ConfigError(
            f"'{site.user}' is no name for a user of the system",
            where="--user",
            remedy="Take letters a to z, digits, - and _, 31 at most, a letter or _ first",
        )
    serving.require_whole_paths()
    for option, path in (("--store", serving.store), *serving.written, *serving.read):
        _require_reachable(option, path, site)
    elsewhere = _elsewhere(serving)
    write_paths, also_writes = "", ""
    if elsewhere:
        write_paths = f"ReadWritePaths={' '.join(quoted_path(path) for path in elsewhere)}"
        also_writes = " and where its options say"
    devices = "PrivateDevices=yes\nDevicePolicy=closed"
    if site.gpu:
        # By the drivers' names in /proc/devices: those of graphics cards, then those of a Jetson.
        drivers = ("nvidia*", "nvhost*", "nvmap*", "nvgpu*")
        devices = "\n".join(["DevicePolicy=closed", *(f"DeviceAllow=char-{name} rw" for name in drivers)])
    # A capability counts in the process's own namespace of users; ports belong to the machine's.
    below = min(serving.ports) < _FIRST_UNPRIVILEGED
    capabilities = "CAP_NET_BIND_SERVICE" if below else ""
    private_users = f"# No PrivateUsers: it listens below port {_FIRST_UNPRIVILEGED}."
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
            capabilities=capabilities,
            private_users=private_users if below else "PrivateUsers=yes",
            executable_memory=executable_memory,
        ),
        SYSUSERS_NAME: fill("sysusers.conf", user=site.user),
    }


def written_folders(serving: Serving) -> tuple[Path, ...]:
    """Return the folders that have to be there, and be its user's, before the service can start.

    Of these systemd makes the first alone, and only when it starts the service; the store is begun before.
    """
    named = (path for _, path in serving.written)
    return tuple(dict.fromkeys((Path(STATE), *_elsewhere(serving), *named)))


def _elsewhere(serving: Serving) -> tuple[Path, ...]:
    """Return what it writes to besides the folder that systemd gives it."""
    return tuple(
        path for _, path in (("--store", serving.store), *serving.written) if not path.is_relative_to(STATE)
    )


def quoted(word: str) -> str:
    """Return a word as systemd reads it in a command line (systemd.service(5), Command lines)."""
    return _quoted(word.replace("$", "$$"))


def quoted_path(path: Path) -> str:
    """Return a path as systemd reads it in a list of paths, where nothing stands for a variable."""
    return _quoted(str(path))


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if any(letter in escaped for letter in " \t'\";\\") or not word else escaped


def _require_reachable(option: str, path: Path, site: Site) -> None:
    if str(path).startswith(tuple(f"{folder}/" for folder in _HIDDEN)):
        raise ConfigError(
            "the service sees nobody's home",
            where=f"{option} {path}",
            remedy=f"Put it below {STATE}, owned by the user {site.user}",
        )


def _addresses(serving: Serving, site: Site) -> Sequence[str]:
    named = []
    for network in site.networks:
        try:
            named.append(ipaddress.ip_network(network, strict=False))
        except ValueError as error:
            raise ConfigError(
                f"'{network}' is no network ({error})",
                where="--allow",
                remedy="Write an address or a network, such as 10.1.2.3 or 10.1.0.0/16",
            ) from error
    if serving.is_for_others and not named:
        raise ConfigError(
            "the server would listen to other machines, but nobody may reach it",
            where="--allow",
            remedy="Name the networks of the readers and modalities, or listen on 127.0.0.1 behind a proxy",
        )
    for option, host in serving.partners:
        if not is_own(host) and not _is_within(host, named):
            raise ConfigError(
                f"the server is to call {host}, and the unit would keep it from there",
                where=option,
                remedy="Name its network with --allow; of a host's name also the name server",
            )
    return ("localhost", *site.networks)


def _is_within(host: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    """Return whether a host is in one of the networks; of a name it is not known, so any will do."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(networks)
    return any(address in network for network in networks)
