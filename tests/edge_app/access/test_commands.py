"""``edge-retrieve user`` and ``audit``, and what a server asks before it listens elsewhere."""

import json
import re
import shutil
import ssl
import subprocess
import sys

import httpx
import pytest
from click.testing import CliRunner

from edge_retrieve.edge_app.access_settings import AccessSettings
from edge_retrieve.edge_app.audit.verify import read_trail
from edge_retrieve.edge_app.cli import main
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.runtime.errors import ConfigError

PASSWORD = "correct horse battery\n"


@pytest.fixture
def store(ingested, tmp_path):
    """A store of one study, without users."""
    return shutil.copytree(ingested, tmp_path / "store")


@pytest.fixture(scope="module")
def ingested(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ingested")
    toy.save(folder / "in" / "a.png", 1, "FINDINGS: A nodule in the right upper lung zone.")
    path = folder / "store"
    result = call("ingest", folder / "in", "--store", path, "--bundle", toy.bundle.path, "--allow-unsigned")
    assert result.exit_code == 0, result.output
    return path


def call(*arguments, typed=None):
    return CliRunner().invoke(main, [str(word) for word in arguments], input=typed)


def add(store, name, role, *more):
    return call(
        "user", "add", name, "--role", role, "--store", store, "--password-file", "-", *more, typed=PASSWORD
    )


def test_users_are_made_listed_changed_and_removed(store):
    assert add(store, "ada", "admin").exit_code == 0
    assert add(store, "rita", "reader", "--identities").exit_code == 0
    made = call("user", "token", "rita", "--role", "reader", "--days", 7, "--store", store, "--json")
    token = json.loads(made.stdout)
    listed = json.loads(call("user", "list", "--store", store, "--json").stdout)["users"]
    assert [(user["name"], user["role"], user["identities"]) for user in listed] == [
        ("ada", "admin", False),
        ("rita", "reader", True),
    ]
    assert listed[1]["tokens"][0]["id"] == token["id"]
    assert token["token"].startswith("ert_")
    assert call("user", "revoke", token["id"], "--store", store).exit_code == 0
    assert (
        call("user", "change", "rita", "--role", "operator", "--no-identities", "--store", store).exit_code
        == 0
    )
    assert "rita: operator" in call("user", "list", "--store", store).stdout
    new = call(
        "user", "password", "rita", "--store", store, "--password-file", "-", typed="another good one\n"
    )
    assert new.exit_code == 0
    assert call("user", "remove", "rita", "--store", store).exit_code == 0
    assert "rita" not in call("user", "list", "--store", store).stdout


def test_a_password_is_asked_for_twice_and_not_shown(store):
    result = call("user", "add", "ada", "--role", "admin", "--store", store, typed=PASSWORD * 2)
    assert result.exit_code == 0, result.output
    assert PASSWORD.strip() not in result.output


@pytest.mark.parametrize(
    ("arguments", "clue"),
    [
        (["user", "remove", "nobody"], "no such user"),
        (["user", "token", "nobody", "--role", "reader"], "no such user"),
        (["user", "revoke", "0123"], "no such token"),
        (["user", "change", "ada", "--role", "reader"], "administer"),
        (["user", "change", "ada"], "Name a --role"),
        (["user", "token", "ada", "--role", "reader", "--days", "0"], "cannot last 0 days"),
        (["user", "add", "ada", "--role", "admin"], "already"),
        (["user", "password", "ada", "--password-file", "/nonexistent"], "cannot be read"),
    ],
    ids=str,
)
def test_wrong_use_is_told_with_exit_code_2(store, arguments, clue):
    add(store, "ada", "admin")
    add(store, "rita", "reader")
    result = call(*arguments, "--store", store)
    assert result.exit_code == 2, result.output
    assert clue in result.output
    assert "Traceback" not in result.output


def test_where_there_are_no_users_and_no_store_is_said(store, tmp_path):
    assert "no users yet" in call("user", "list", "--store", store).output
    missing = call("user", "add", "ada", "--role", "admin", "--store", tmp_path / "none")
    assert missing.exit_code == 1
    assert "no store here" in missing.output
    assert not (tmp_path / "none").exists()


def test_commands_are_in_the_trail_and_it_verifies(store):
    add(store, "ada", "admin")
    call("user", "remove", "ada", "--store", store)
    verified = call("audit", "verify", "--store", store)
    assert verified.exit_code == 0, verified.output
    assert "3 lines, all intact" in verified.output
    shown = json.loads(call("audit", "show", "--store", store, "--json").stdout)["entries"]
    assert [entry["action"] for entry in shown[:3]] == ["ingest", "change users", "change users"]
    assert shown[1]["detail"] == "add ada as admin"
    assert shown[1]["user"].startswith("system")
    # That it was looked at is in it, too.
    assert [entry.event.action.value for entry in read_trail(store / "site" / "audit")][
        -1
    ] == "read audit trail"


def test_a_broken_line_is_named(store):
    add(store, "ada", "admin")
    head = json.loads(call("audit", "verify", "--store", store, "--json").stdout)["head"]
    path = store / "site" / "audit" / "trail-000001.jsonl"
    path.write_text(path.read_text().replace("add ada as admin", "add eve as admin"))
    result = call("audit", "verify", "--store", store)
    assert result.exit_code == 1
    assert "trail-000001.jsonl, line 2" in result.output
    assert "1 lines before it are intact" in result.output
    path.write_text("\n".join(path.read_text().splitlines()[:1]) + "\n")
    cut = json.loads(call("audit", "verify", "--head", head, "--store", store, "--json").stdout)
    assert cut["intact"] is False


def test_a_deletion_is_found_by_the_study(store):
    from edge_retrieve.runtime.store import Store

    with Store.open(store) as opened:
        (study,) = [summary.study for summary in opened.studies(limit=9)]
    assert call("store", "delete", study, "--yes", "--store", store).exit_code == 0
    entries = json.loads(call("audit", "show", "--study", study, "--store", store, "--json").stdout)[
        "entries"
    ]
    assert [(entry["action"], entry["outcome"]) for entry in entries][:1] == [("delete", "done")]
    assert study not in (store / "site" / "audit" / "trail-000001.jsonl").read_text()


def test_other_machines_are_not_served_without_users(store, toy):
    served = call(
        "serve",
        "--store",
        store,
        "--bundle",
        toy.bundle.path,
        "--allow-unsigned",
        "--host",
        "0.0.0.0",
        "--port",
        0,
    )
    assert served.exit_code == 2
    assert "user add" in served.output
    assert "--no-login" in served.output


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_this_machine_is_served_without_users(host):
    ServerSettings(host=host).require_login(host, has_users=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "pacs.hospital.local"])
def test_elsewhere_takes_users_or_the_flag(host):
    with pytest.raises(ConfigError, match="nobody would have to log in"):
        ServerSettings(host=host).require_login(host, has_users=False)
    ServerSettings(host=host).require_login(host, has_users=True)
    ServerSettings(host=host, no_login=True).require_login(host, has_users=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_a_certificate_is_checked_before_anything_listens(certificate, tmp_path):
    good = AccessSettings(tls_cert=str(certificate / "cert.pem"), tls_key=str(certificate / "key.pem"))
    good.check_certificate()
    for cert, key, clue in (
        (tmp_path / "none.pem", "", "no such file"),
        (certificate / "cert.pem", certificate / "cert.pem", "cannot be used"),
        (certificate / "cert.pem", tmp_path / "none.pem", "no such file"),
    ):
        with pytest.raises(ConfigError, match=clue):
            AccessSettings(tls_cert=str(cert), tls_key=str(key or "")).check_certificate()
    with pytest.raises(ConfigError, match="without its certificate"):
        ServerSettings(tls_key="key.pem")


def test_the_page_is_served_by_https_alone(certificate, store, toy, plain_environment):
    command = [sys.executable, "-c", "from edge_retrieve.edge_app.cli import main; main()", "serve"]
    command += ["--store", store, "--bundle", toy.bundle.path, "--allow-unsigned", "--port", "0"]
    command += ["--tls-cert", certificate / "cert.pem", "--tls-key", certificate / "key.pem"]
    process = subprocess.Popen(
        list(map(str, command)), env=plain_environment, stderr=subprocess.PIPE, text=True
    )
    try:
        port = next(
            found[1] for line in process.stderr if (found := re.search(r"https://127.0.0.1:(\d+)/", line))
        )
        trusted = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        with httpx.Client(verify=trusted, trust_env=False, timeout=20) as client:
            assert client.get(f"https://localhost:{port}/healthz").json() == {"status": "alive"}
            with pytest.raises(httpx.TransportError):
                client.get(f"http://localhost:{port}/healthz")
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("show", "--since", "tomorrow"), "'tomorrow' is no date"),
        (("show", "--since", "2024-13-45"), "is no date"),
        (("verify", "--head", "7:abc"), "'7:abc' is no head of a trail"),
    ],
)
def test_what_is_asked_of_the_trail_has_to_mean_something(store, options, told):
    result = call("audit", *options, "--store", store)
    assert result.exit_code == 2, result.output
    assert told in result.stderr


def test_a_day_of_the_trail_is_found_in_either_spelling(store):
    day = next(read_trail(store / "site" / "audit")).time[:10]
    for since, some in ((day, True), (day.replace("-", ""), True), ("2999-01-01", False)):
        shown = json.loads(call("audit", "show", "--since", since, "--store", store, "--json").stdout)
        assert bool(shown["entries"]) is some
