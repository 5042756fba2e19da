"""The settings of the DICOM node, a part of the server's table."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.edge_app.dicom_node.peers import OWN_AE_TITLE, TlsFiles, check_ae_title, read_ae_titles
from edge_retrieve.edge_app.dicom_node.spool import SPOOL_FOLDER
from edge_retrieve.edge_app.setting_rows import row
from edge_retrieve.runtime.errors import ConfigError


@dataclass(frozen=True)
class DicomSettings:
    """The node's rows of the table."""

    dicom_port: int = row(
        0, "TCP port", "Port on which X-rays are received by C-STORE; 0 for none.", smallest=0, largest=65535
    )
    dicom_host: str = row(
        "127.0.0.1",
        "address",
        "Address that the DICOM port listens on. Another than this machine's own takes --dicom-callers.",
    )
    ae_title: str = row(OWN_AE_TITLE, "AE title", "AE title of the node; who calls another is rejected.")
    dicom_callers: str = row(
        "",
        "AE titles, comma separated",
        "AE titles that may call the node; all others are rejected. * for any.",
    )
    dicom_associations: int = row(
        16, "associations", "Most associations at a time.", smallest=1, largest=1000
    )
    dicom_keep_free_mib: int = row(
        512,
        "MiB",
        "Objects are refused where the disk would have less free space than this.",
        smallest=0,
        largest=1 << 30,
    )
    dicom_tls_certificate: str = row(
        "", "PEM file", "Certificate of the node; with it the DICOM port speaks TLS alone."
    )
    dicom_tls_key: str = row(
        "", "PEM file", "Key of that certificate; left out where it is in the same file."
    )
    dicom_tls_authorities: str = row(
        "", "PEM file", "Whoever calls has to show a certificate that one of these authorities signed."
    )
    dicom_web: bool = row(False, "yes or no", "Receive X-rays by STOW-RS, too, at /dicom-web/studies.")
    dicom_folder: str = row(
        "", "folder", f"Folder of received objects; '{SPOOL_FOLDER}' in the store's folder if left out."
    )
    drop_folder: str = row("", "folder", "Folder whose image files are taken in and deleted.")

    def check_dicom(self) -> None:
        """Raise `ConfigError` where the node's settings contradict each other."""
        check_ae_title(self.ae_title, "--ae-title")
        callers = read_ae_titles(self.dicom_callers, "--dicom-callers")
        if (
            self.dicom_port
            and not callers
            and self.dicom_callers.strip() != "*"
            and not _is_own(self.dicom_host)
        ):
            raise ConfigError(
                "the DICOM port would take objects from anybody",
                where=f"--dicom-host {self.dicom_host}",
                remedy="Name who may call with --dicom-callers, or * for any",
            )
        if (self.dicom_tls_key or self.dicom_tls_authorities) and not self.dicom_tls_certificate:
            raise ConfigError(
                "TLS takes a certificate",
                where="--dicom-tls-key" if self.dicom_tls_key else "--dicom-tls-authorities",
                remedy="Give --dicom-tls-certificate, too",
            )

    @property
    def dicom_tls(self) -> TlsFiles | None:
        """The certificates of the DICOM port; None where it is not encrypted."""
        if not self.dicom_tls_certificate:
            return None
        return TlsFiles(
            Path(self.dicom_tls_certificate),
            Path(self.dicom_tls_key) if self.dicom_tls_key else None,
            Path(self.dicom_tls_authorities) if self.dicom_tls_authorities else None,
        )

    def spool_folder(self, store: Path) -> Path:
        """Return the folder of received objects of a store."""
        return Path(self.dicom_folder) if self.dicom_folder else store / SPOOL_FOLDER


def _is_own(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
