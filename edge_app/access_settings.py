"""The settings of users, encryption and the audit trail, a part of the server's table."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.edge_app.setting_rows import row
from edge_retrieve.runtime.errors import ConfigError


@dataclass(frozen=True)
class AccessSettings:
    """The rows about who may reach the server, and how."""

    site: str = row(
        "",
        "folder",
        "Folder of the site's own files: users, audit trail, key of the pseudonyms; 'site' in the store's "
        "folder if left out.",
    )
    keep_identities: bool = row(
        False,
        "yes or no",
        "Store identifiers of patients as they come, in a store that is empty yet; pseudonyms if left out.",
    )
    no_login: bool = row(
        False,
        "yes or no",
        "Serve other machines without users: whoever reaches the address sees and changes everything.",
    )
    tls_cert: str = row(
        "", "PEM file", "Certificate of the server; with it the page is served by HTTPS alone."
    )
    tls_key: str = row("", "PEM file", "Key of that certificate; left out where it is in the same file.")
    tls_proxy: bool = row(
        False,
        "yes or no",
        "A reverse proxy on this machine speaks HTTPS with the browsers: cookies are sent by HTTPS alone.",
    )
    session_idle_minutes: int = row(
        30,
        "minutes",
        "How long a session may be idle before one has to log in again.",
        smallest=1,
        largest=1440,
    )
    session_hours: int = row(
        12, "hours", "How long after the log-in a session ends in any case.", smallest=1, largest=168
    )

    @property
    def speaks_tls(self) -> bool:
        """Whether browsers reach the server by HTTPS."""
        return bool(self.tls_cert) or self.tls_proxy

    def check_access(self) -> None:
        """Raise `ConfigError` where these settings contradict each other."""
        if self.tls_key and not self.tls_cert:
            raise ConfigError(
                "a key is of no use without its certificate", where="--tls-key", remedy="Give --tls-cert, too"
            )

    def check_certificate(self) -> None:
        """Raise `ConfigError` where the certificate cannot be used."""
        if not self.tls_cert:
            return
        for option, name in (("--tls-cert", self.tls_cert), ("--tls-key", self.tls_key)):
            if name and not Path(name).is_file():
                raise ConfigError("there is no such file", where=f"{option} {name}", remedy="Check the path")
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls_cert, self.tls_key or None, password=lambda: "")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the certificate and its key cannot be used ({error})",
                where=f"--tls-cert {self.tls_cert}",
                remedy="Give a PEM certificate and the key that belongs to it, without a pass phrase",
            ) from error

    def require_login(self, host: str, *, has_users: bool) -> None:
        """See that nobody reaches a server from elsewhere without saying who he is.

        Raises
        ------
        ConfigError
            Where the address is not this machine's own, and there are neither users nor `no_login`.
        """
        if is_own(host) or has_users or self.no_login:
            return
        raise ConfigError(
            "other machines could reach the archive, and nobody would have to log in",
            where=f"--host {host}",
            remedy="Make a user with 'edge-retrieve user add', or give --no-login on a trusted network",
        )


def is_own(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
