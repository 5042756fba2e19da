"""The settings of the systems that results are sent to, a part of the server's table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.edge_app.dicom_node.peers import Peer, TlsFiles, read_system
from edge_retrieve.edge_app.setting_rows import row
from edge_retrieve.runtime.errors import ConfigError


@dataclass(frozen=True)
class PacsSettings:
    """The rows about where results may be sent; without any they can be downloaded alone."""

    pacs: str = row(
        "",
        "AET@HOST:PORT, comma separated",
        "DICOM systems that operators may send results to, as in ARCHIVE@pacs.local:104; none if left out.",
    )
    pacs_tls: bool = row(False, "yes or no", "Speak TLS with them.")
    pacs_tls_certificate: str = row(
        "", "PEM file", "Our certificate, where they ask for one; it may hold the key, too."
    )
    pacs_tls_key: str = row("", "PEM file", "Key of that certificate, where it is in a file of its own.")
    pacs_tls_authorities: str = row(
        "", "PEM file", "Authorities believed with --pacs-tls; those of the system if left out."
    )

    def check_pacs(self) -> None:
        """Raise `ConfigError` where a system is none, two have one name, or certificates are for nothing."""
        names = Counter(peer.called for peer in self.destinations())
        for name, times in names.items():
            if times > 1:
                raise ConfigError(
                    f"two systems are called '{name}'",
                    where="--pacs",
                    remedy="Name each once: people choose by it",
                )
        files = (self.pacs_tls_certificate, self.pacs_tls_key, self.pacs_tls_authorities)
        if any(files) and not self.pacs_tls:
            raise ConfigError("certificates are for TLS", where="--pacs-tls", remedy="Give --pacs-tls, too")

    def destinations(self, calling: str = "") -> tuple[Peer, ...]:
        """Return the systems that results may be sent to.

        Parameters
        ----------
        calling : str
            Our AE title; the default one where empty.

        Raises
        ------
        ConfigError
            Where a system, an AE title or a port is none.
        """
        named = (read_system(text.strip(), "--pacs") for text in self.pacs.split(",") if text.strip())
        ours = {"calling": calling} if calling else {}
        return tuple(
            Peer(host, port, called, tls=self.pacs_tls_files, **ours) for called, host, port in named
        )

    @property
    def pacs_tls_files(self) -> TlsFiles | None:
        """The certificates to call with; None where the connections are not encrypted."""
        if not self.pacs_tls:
            return None
        files = (self.pacs_tls_certificate, self.pacs_tls_key, self.pacs_tls_authorities)
        return TlsFiles(*(Path(file) if file else None for file in files))
