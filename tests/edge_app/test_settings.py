from pathlib import Path

import pytest

from edge_retrieve.edge_app.settings import SETTINGS, ServerSettings
from edge_retrieve.runtime.errors import ConfigError


def test_defaults_keep_to_this_machine():
    settings = ServerSettings()
    assert settings.host == "127.0.0.1"
    assert settings.hosts == {"127.0.0.1", "localhost", "::1"}


def test_the_default_of_every_setting_is_valid_and_reaches_the_server():
    options = {setting.name: setting.default for setting in SETTINGS}
    assert ServerSettings.from_options(options) == ServerSettings()


@pytest.mark.parametrize(
    ("name", "value", "clue"),
    [
        ("port", 65536, "65535"),
        ("port", "8080", "kind"),
        ("port", True, "kind"),
        ("max_hits", 0, "1 to 10000"),
        ("abstain_below", 1.5, "0 to 1"),
        ("abstain_below", float("nan"), "0 to 1"),
        ("abstain_below", 1, "kind"),
        ("backend", "abacus", "auto, cpu"),
        ("root_path", "xray", "slash"),
        ("root_path", "/xray/", "slash"),
        ("colour", 1, "no such setting"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_do(name, value, clue):
    with pytest.raises(ConfigError) as caught:
        ServerSettings.from_options({name: value})
    assert clue in str(caught.value)
    assert name.replace("_", "-") in str(caught.value)


def test_folders_for_jobs_that_are_not_there_are_named(tmp_path):
    given = {"ingest_folders": f"{tmp_path}:{tmp_path / 'xrays'}", "backup_folder": str(tmp_path / "copies")}
    told = ServerSettings.from_options(given).missing_folders()
    options = ("--ingest-folders", "xrays"), ("--backup-folder", "copies")
    assert [sentence.split(":")[0] for sentence in told] == [
        f"{one} {tmp_path / name}" for one, name in options
    ]
    assert ServerSettings().missing_folders() == ()


def test_listening_everywhere_answers_to_any_name_unless_some_are_given():
    assert ServerSettings(host="0.0.0.0").hosts == {"*"}
    assert "*" not in ServerSettings(host="0.0.0.0", allowed_hosts="pacs.local").hosts
    assert "pacs.local" in ServerSettings(allowed_hosts=" PACS.local ,").hosts


def test_the_systems_that_results_are_sent_to():
    settings = ServerSettings(
        pacs="ARCHIVE@pacs.local:104, ODD@NAME@[::1]:11112", pacs_tls=True, pacs_tls_authorities="ca.pem"
    )
    first, second = settings.destinations("OURS")
    assert (first.called, first.host, first.port, first.calling) == ("ARCHIVE", "pacs.local", 104, "OURS")
    assert (second.called, second.host, second.port) == ("ODD@NAME", "::1", 11112)
    assert (first.tls.authorities, first.tls.certificate) == (Path("ca.pem"), None)
    assert ServerSettings().destinations() == ()
    assert ServerSettings(pacs="A@h:1").destinations()[0].tls is None


@pytest.mark.parametrize(
    ("options", "clue"),
    [
        ({"pacs": "ARCHIVE"}, "names no DICOM system"),
        ({"pacs": "ARCHIVE@pacs.local"}, "names no DICOM system"),
        ({"pacs": "ARCHIVE@pacs.local:0"}, "no TCP port"),
        ({"pacs": "MUCH_TOO_LONG_A_TITLE@pacs.local:104"}, "no AE title"),
        ({"pacs": "A@one:104, A@two:104"}, "two systems are called 'A'"),
        ({"pacs": "A@one:104", "pacs_tls_key": "key.pem"}, "--pacs-tls"),
    ],
)
def test_a_system_that_is_none_is_refused(options, clue):
    with pytest.raises(ConfigError, match=clue):
        ServerSettings(**options)
