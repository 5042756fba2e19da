"""Who talks DICOM with us: AE titles, addresses, certificates."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.errors import ConfigError, EdgeRetrieveError

OWN_AE_TITLE = "EDGE_RETRIEVE"
_LONGEST_AE_TITLE = 16  # PS3.5, value representation AE
_SILENCE_S = 30.0  # of a caller, before its connection is closed


class DicomError(EdgeRetrieveError):
    """Another DICOM system cannot be reached, refuses, or answers with a failure."""


def check_ae_title(title: str, where: str) -> str:
    """Return an AE title without the spaces around it.

    Raises
    ------
    ConfigError
        Where it is empty, longer than 16 characters, or has characters that AE titles may not have.
    """
    stripped = title.strip(" ")
    fits = 0 < len(stripped) <= _LONGEST_AE_TITLE
    if not fits or not (stripped.isascii() and stripped.isprintable()) or "\\" in stripped:
        raise ConfigError(
            f"'{title}' is no AE title",
            where=where,
            remedy=f"Give 1 to {_LONGEST_AE_TITLE} ASCII characters, none of them a backslash",
        )
    return stripped


def read_ae_titles(text: str, where: str) -> frozenset[str]:
    """Return the AE titles of a comma separated list; ``*`` by itself stands for any and gives none.

    Raises
    ------
    ConfigError
        Where one of them is no AE title.
    """
    if text.strip() == "*":
        return frozenset()
    return frozenset(check_ae_title(title, where) for title in text.split(",") if title.strip())


def read_system(text: str, where: str) -> tuple[str, str, int]:
    """Return AE title, host and port of ``AET@HOST:PORT``; an IPv6 address stands in brackets.

    Raises
    ------
    ConfigError
        Where it is not of that form.
    """
    called, at, address = text.rpartition("@")
    host, colon, port = address.rpartition(":")
    if not (called and at and host and colon and port.isdecimal()):
        raise ConfigError(
            f"'{text}' names no DICOM system", where=where, remedy="Write it as PACS@10.1.2.3:104"
        )
    return called, host.strip("[]"), int(port)


@dataclass(frozen=True)
class TlsFiles:
    """Certificates for TLS; all paths are PEM files.

    Parameters
    ----------
    certificate, key : Path or None
        Our own; needed to be called, and to call where the other side asks for one.
    authorities : Path or None
        Whose certificates are believed. A node that listens asks every caller for one of theirs then; a
        caller without it believes the authorities of the system.
    """

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None

    def server_context(self) -> ssl.SSLContext:
        """Return the context of a node that listens: TLS 1.2 or newer (BCP 195).

        Raises
        ------
        ConfigError
            Where a file is missing or no certificate or key.
        """
        context = _PatientContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(context)
        if self.authorities is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return the context of a caller, who checks the name on the other side's certificate.

        Raises
        ------
        ConfigError
            Where a file is missing or no certificate or key.
        """
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(context)
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        for path in (self.certificate, self.key, self.authorities):
            if path is not None and not path.is_file():
                raise ConfigError("there is no such file", where=str(path), remedy="Name a PEM file")
        try:
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
            if self.authorities is not None:
                context.load_verify_locations(self.authorities)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            reason = getattr(error, "reason", None) or str(error)
            raise ConfigError(
                f"the TLS certificate or key cannot be used ({reason})",
                where=str(self.certificate or self.authorities),
                remedy="Give PEM files: a certificate, its key without a password, the authorities",
            ) from error


class _PatientContext(ssl.SSLContext):
    """A server's context that shakes hands when a connection is first read, in that connection's thread.

    pynetdicom wraps a connection in the loop that accepts all of them, where one caller who says nothing
    would keep everybody else waiting. Nor may such a caller hold one of the associations for ever.
    """

    def wrap_socket(self, sock: Any, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        sock.settimeout(_SILENCE_S)
        options["do_handshake_on_connect"] = False
        return super().wrap_socket(sock, *arguments, **options)


@dataclass(frozen=True)
class Peer:
    """Another DICOM application, and how we introduce ourselves to it.

    Parameters
    ----------
    host : str
        Name or address.
    port : int
    called : str
        Its AE title.
    calling : str
        Ours.
    tls : TlsFiles or None
        None for a connection that is not encrypted.

    Raises
    ------
    ConfigError
        Where an AE title or the port is none.
    """

    host: str
    port: int
    called: str
    calling: str = OWN_AE_TITLE
    tls: TlsFiles | None = None

    def __post_init__(self) -> None:
        check_ae_title(self.called, "called AE title")
        check_ae_title(self.calling, "calling AE title")
        if not 0 < self.port < 65536:
            raise ConfigError(f"{self.port} is no TCP port", where=self.host, remedy="Give 1 to 65535")

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.called} at {self.host}:{self.port}"
