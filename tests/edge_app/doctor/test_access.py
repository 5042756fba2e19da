import shutil
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.doctor.access import audit, certificates, login, privacy
from edge_retrieve.edge_app.doctor.check import State
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.runtime.store import Store
from edge_retrieve.runtime.store.privacy import Identities, PrivacyMark

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)


@pytest.fixture
def make_certificate(tmp_path):
    """Return a function that writes a certificate that ends after so many days."""

    def make(days):
        key = ed25519.Ed25519PrivateKey.generate()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "xray.hospital")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(NOW - timedelta(days=400))
            .not_valid_after(NOW + timedelta(days=days))
            .sign(key, None)  # Ed25519 has its own digest
        )
        path = tmp_path / "cert.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)

    return make


@pytest.mark.parametrize(("days", "state"), [(90, State.OK), (20, State.WARNING), (-1, State.FAILED)])
def test_a_certificate_that_ends_is_told_in_time(make_certificate, days, state):
    (check,) = certificates(ServerSettings(tls_cert=make_certificate(days)), NOW)
    assert check.state is state, check
    assert (NOW + timedelta(days=days)).strftime("%Y-%m-%d") in check.what


def test_what_is_no_certificate_is_told(tmp_path):
    assert certificates(ServerSettings()) == ()
    (missing,) = certificates(ServerSettings(tls_cert=str(tmp_path / "missing.pem")))
    (tmp_path / "other.pem").write_text("something else")
    (other,) = certificates(ServerSettings(tls_cert=str(tmp_path / "other.pem")))
    assert {missing.state, other.state} == {State.FAILED}
    assert "no PEM certificate" in other.what


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        (ServerSettings(), State.OK),
        (ServerSettings(host="0.0.0.0"), State.FAILED),
        (ServerSettings(host="0.0.0.0", no_login=True), State.WARNING),
    ],
)
def test_without_users_only_this_machine_is_served(tmp_path, settings, state):
    check = login(Site(tmp_path), settings)
    assert check.state is state, check
    assert bool(check.remedy) == (state is not State.OK)


def test_users_without_encryption_are_warned(run, store_path, tmp_path):
    password = tmp_path / "password"
    password.write_text("a long enough pass phrase\n")
    options = ["--role", "admin", "--password-file", password, "--site", tmp_path / "site"]
    made = run("user", "add", "chief", *options, "--store", store_path)
    assert made.exit_code == 0, made.output
    site = Site(tmp_path / "site")
    assert login(site, ServerSettings()).what == "everybody has to log in"
    plain = login(site, ServerSettings(host="0.0.0.0"))
    assert (plain.state, "unencrypted" in plain.what) == (State.WARNING, True)
    assert login(site, ServerSettings(host="0.0.0.0", tls_proxy=True)).state is State.OK
    # The trail knows of the new user; a changed line is named.
    (trail,) = audit(site)
    assert trail.state is State.OK
    (path,) = (path for path in site.audit.iterdir() if path.stat().st_size)
    path.write_text(path.read_text().replace("chief", "thief"))
    (broken,) = audit(site)
    assert broken.state is State.FAILED
    assert "line 1" in broken.what


def test_where_nothing_was_recorded_nothing_is_said(tmp_path):
    assert audit(Site(tmp_path)) == ()


def test_a_key_that_is_gone_is_told(store_path, tmp_path):
    shutil.copytree(store_path, tmp_path / "store")
    with Store.open(tmp_path / "store") as store:
        store.set_privacy(PrivacyMark(Identities.REPLACED, "0123456789abcdef"))
    site = Site(tmp_path / "site")
    check = privacy(tmp_path / "store", site)
    assert (check.state, "key is not here" in check.what) == (State.FAILED, True)
    site.path.mkdir()
    site.key.write_text("ab" * 32)
    another = privacy(tmp_path / "store", site)
    assert (another.state, "not the key" in another.what) == (State.FAILED, True)


def test_a_trail_that_cannot_be_written_is_warned_of(tmp_path):
    (tmp_path / "site").write_text("a file where a folder is due, which not even root can write into")
    (check,) = audit(Site(tmp_path / "site"))
    assert check.state is State.WARNING
    assert "nothing is recorded" in check.what
    assert audit(Site(tmp_path / "new" / "site")) == ()
