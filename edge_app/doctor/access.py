"""Who may come in: log-in, certificate, the key of the pseudonyms, the audit trail."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509

from edge_retrieve.edge_app.access.guard import Guard
from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.access_settings import is_own
from edge_retrieve.edge_app.audit.verify import verify_trail
from edge_retrieve.edge_app.doctor.check import Check, failed, failed_by, ok, warning
from edge_retrieve.edge_app.privacy import deidentifier_of
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.runtime.errors import EdgeRetrieveError
from edge_retrieve.runtime.store import SCHEMA_VERSION, Store, schema_version
from edge_retrieve.runtime.store.privacy import Identities

_SOON = timedelta(days=30)


def login(site: Site, settings: ServerSettings) -> Check:
    """Say who gets in, as the server would decide when it is started."""
    try:
        has_users = Guard.find_users(site)
        settings.require_login(settings.host, has_users=has_users)
    except EdgeRetrieveError as error:
        return failed_by("log-in", error)
    if not has_users:
        if is_own(settings.host):
            return ok("log-in", "none: only this machine reaches the server")
        return warning(
            "log-in",
            f"whoever reaches {settings.host} sees and changes everything (--no-login)",
            "Make a user: edge-retrieve user add",
        )
    if not is_own(settings.host) and not settings.speaks_tls:
        return warning(
            "log-in",
            "passwords cross the network unencrypted",
            "Give --tls-cert, or --tls-proxy behind a reverse proxy that speaks HTTPS",
        )
    return ok("log-in", "everybody has to log in")


def certificates(settings: ServerSettings, now: datetime | None = None) -> tuple[Check, ...]:
    """Say until when the certificates of the page and of the DICOM port are valid.

    Parameters
    ----------
    settings : ServerSettings
    now : datetime, optional
        With its time zone; the system's clock where None.
    """
    found = []
    for name, path in (
        ("certificate", settings.tls_cert),
        ("DICOM certificate", settings.dicom_tls_certificate),
    ):
        if path:
            found.append(_certificate(name, Path(path), now or datetime.now(timezone.utc)))
    return tuple(found)


def _certificate(name: str, path: Path, now: datetime) -> Check:
    try:
        until = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except OSError as error:
        return failed(name, f"{path} cannot be read ({error.strerror})", "Check the path and its permissions")
    except ValueError:
        return failed(name, f"{path} is no PEM certificate", "Give a PEM file")
    what = f"{path} is valid until {until:%Y-%m-%d}"
    if until <= now:
        return failed(name, f"{path} was valid until {until:%Y-%m-%d}", "Put a new one in its place")
    if until - now < _SOON:
        return warning(name, what, "Put a new one in its place before, and restart the server")
    return ok(name, what)


def privacy(store: Path, site: Site) -> Check:
    """See that the key which made a store's pseudonyms is there."""
    try:
        if schema_version(store) < SCHEMA_VERSION:
            return ok("pseudonyms", "not looked at before the store is brought forward")
        with Store.open(store) as opened:
            held = opened.privacy().identities
            deidentifier_of(opened, site)  # raises where the key is missing or another one
    except EdgeRetrieveError as error:
        return failed_by("pseudonyms", error)
    if held is Identities.REPLACED:
        return ok(
            "pseudonyms", f"the store holds pseudonyms, made with the key {site.key}: keep a copy of it"
        )
    return ok("pseudonyms", f"none: identities are {held.value}")


def audit(site: Site) -> tuple[Check, ...]:
    """Read the audit trail, and see that it can be written; nothing where there is none and it can."""
    folder = next(path for path in (site.audit, *site.audit.absolute().parents) if path.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        return (
            warning(
                "audit trail",
                f"{folder} cannot be written: without users nothing is recorded, with users no server starts",
                "Run this as the server's user, or give that user the right to write there",
            ),
        )
    if not site.audit.is_dir():
        return ()
    try:
        verdict = verify_trail(site.audit)
    except EdgeRetrieveError as error:
        return (failed_by("audit trail", error),)
    if not verdict.intact:
        return (
            failed(
                "audit trail",
                f"{verdict.broken_at}: {verdict.reason}",
                "Keep these files as they are, and find out who changed them: edge-retrieve audit verify",
            ),
        )
    return (ok("audit trail", f"{verdict.lines} lines hold, up to {verdict.head[:24]}"),)
