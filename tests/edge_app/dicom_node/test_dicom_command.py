import io
import json
import subprocess
import sys

import pydicom
import pytest
from pydicom import uid

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.references import references_of
from edge_retrieve.edge_app.audit.verify import read_trail, verify_trail
from edge_retrieve.edge_app.dicom_node.dicomweb import DicomWebPeer
from edge_retrieve.edge_app.dicom_node.quarantine import Fault, set_aside
from edge_retrieve.edge_app.dicom_node.scp import StorageScp
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.runtime.errors import ConfigError


@pytest.fixture
def scp(spool):
    scp = StorageScp(spool, ScpSettings(port=0))
    scp.start()
    yield scp
    scp.stop(0.2)


def test_echo_tells_every_step(run, scp):
    done = run("dicom", "echo", "127.0.0.1", scp.port, "--called", "EDGE_RETRIEVE")
    assert done.exit_code == 0, done.output
    assert [line.split()[1] for line in done.stdout.splitlines()] == [
        "name:",
        "port:",
        "association:",
        "C-ECHO:",
    ]


def test_echo_names_the_step_that_refused(run, scp):
    done = run("dicom", "echo", "127.0.0.1", scp.port, "--called", "ANOTHER")
    assert done.exit_code == 1
    assert "FAILED association: rejected" in done.stdout
    assert "--called" in done.stdout
    done = run("dicom", "echo", "127.0.0.1", scp.port, "--called", "ANOTHER", "--json")
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert [step["ok"] for step in document["steps"]] == [True, True, False]


def test_send_delivers_and_tells_of_each_file(run, scp, spool, make_image, tmp_path):
    (tmp_path / "image.dcm").write_bytes(make_image(1))
    (tmp_path / "text.dcm").write_text("text")
    files = [tmp_path / "image.dcm", tmp_path / "text.dcm"]
    done = run("dicom", "send", "127.0.0.1", scp.port, *files, "--called", "EDGE_RETRIEVE", "--json")
    assert done.exit_code == 1
    assert [(entry["ok"]) for entry in json.loads(done.stdout)["files"]] == [True, False]
    assert len(spool.entries()) == 1


def test_a_file_without_a_name_of_its_own_is_told_and_the_rest_goes_on(run, scp, spool, make_image, tmp_path):
    nameless = pydicom.dcmread(io.BytesIO(make_image(1)))
    del nameless.SOPInstanceUID
    pydicom.dcmwrite(tmp_path / "nameless.dcm", nameless)
    (tmp_path / "image.dcm").write_bytes(make_image(2))
    files = [tmp_path / "nameless.dcm", tmp_path / "image.dcm"]
    done = run("dicom", "send", "127.0.0.1", scp.port, *files, "--called", "EDGE_RETRIEVE", "--json")
    assert done.exit_code == 1, done.output
    first, second = json.loads(done.stdout)["files"]
    assert (first["ok"], second["ok"]) == (False, True)
    assert "no SOP Instance UID" in first["what"]
    assert len(spool.entries()) == 1


def trail(store):
    """The lines of a store's trail: action, outcome, subjects, detail."""
    site = Site.of(store.path)
    assert verify_trail(site.audit).intact
    events = [entry.event for entry in read_trail(site.audit)]
    assert all(event.user.startswith("system") for event in events)
    return [(each.action.value, each.outcome.value, each.subjects, each.detail) for each in events]


def test_what_is_sent_is_in_the_trail_of_the_store_that_is_named(run, scp, store, make_image, tmp_path):
    study = uid.generate_uid()
    (tmp_path / "image.dcm").write_bytes(make_image(1, study=study, patient="MARKED4711"))
    called = ["--called", "EDGE_RETRIEVE", "--store", store.path]
    done = run("dicom", "send", "127.0.0.1", scp.port, tmp_path / "image.dcm", *called)
    assert done.exit_code == 0, done.output
    done = run("dicom", "send", "127.0.0.1", 9, tmp_path / "image.dcm", *called)
    assert done.exit_code == 1, done.output
    reference = references_of(Site.of(store.path).key).of(study)
    assert trail(store) == [
        ("export", "done", (reference,), f"C-STORE to EDGE_RETRIEVE at 127.0.0.1:{scp.port}"),
        ("export", "failed", (reference,), "C-STORE to EDGE_RETRIEVE at 127.0.0.1:9"),
    ]
    text = "".join(path.read_text() for path in Site.of(store.path).audit.glob("*.jsonl"))
    assert "MARKED4711" not in text
    assert study not in text


def test_a_password_in_an_address_does_not_reach_the_trail(run, store):
    address = "http://reader:hunter2@127.0.0.1:9/dicom-web?token=hunter3"
    done = run("dicom", "web-find", address, "--patient", "P1", "--store", store.path)
    assert done.exit_code == 1, done.output
    assert trail(store) == [("search", "failed", (), "QIDO-RS at http://127.0.0.1:9/dicom-web")]
    assert DicomWebPeer(address).label == "http://127.0.0.1:9/dicom-web"


def test_an_unreachable_system_is_an_error_and_no_traceback(run, tmp_path, make_image):
    (tmp_path / "image.dcm").write_bytes(make_image(1))
    done = run("dicom", "send", "127.0.0.1", 9, tmp_path / "image.dcm", "--called", "PACS")
    assert done.exit_code == 1
    assert "PACS at 127.0.0.1:9" in done.stderr
    assert "nothing listens" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--called", "PACS", "--tls-certificate", "x.pem"],
        ["--called", "AN_AE_TITLE_TOO_LONG"],
        ["--called", "PACS", "--patient", "A*"],
        ["--called", "PACS"],
    ],
)
def test_wrong_use_ends_with_2(run, arguments):
    done = run("dicom", "find", "127.0.0.1", 9, *arguments)
    assert done.exit_code == 2, done.output


def test_status_and_quarantine(run, spool, store):
    empty = run("dicom", "quarantine", "--store", store.path)
    assert "0 objects" in empty.stdout
    bad, worse = spool.put([b"bad"]), spool.put([b"worse"])
    set_aside(spool, bad, Fault.UNUSABLE, "it is truncated.", "MODALITY")
    set_aside(spool, worse, Fault.FAILED, "RuntimeError")
    spool.put([b"waits"])
    counts = json.loads(run("dicom", "status", "--store", store.path, "--json").stdout)
    assert (counts["waiting"], counts["quarantined"]) == (1, 2)
    listed = run("dicom", "quarantine", "--store", store.path).stdout
    assert f"{bad.id} " in listed
    assert "from MODALITY" in listed
    assert "unusable: it is truncated." in listed
    left = run(
        "dicom", "quarantine", "--store", store.path, "--release", bad.id, "--discard", worse.id, "--json"
    )
    assert json.loads(left.stdout) == {"objects": []}
    assert bad.id in [entry.id for entry in spool.entries()]
    assert worse.id not in [entry.id for entry in spool.entries()]


def test_all_are_released_at_once(run, spool, store):
    for content in (b"one", b"two"):
        set_aside(spool, spool.put([content]), Fault.FAILED, "reason")
    assert "0 objects" in run("dicom", "quarantine", "--store", store.path, "--release-all").stdout
    assert len(spool.entries()) == 2


def test_an_object_that_is_not_there_is_told(run, spool, store):
    done = run("dicom", "quarantine", "--store", store.path, "--release", "1-ab")
    assert done.exit_code == 1
    assert "quarantine" in done.stderr


def test_a_store_that_never_received_anything_stays_as_it_is(run, store):
    assert run("dicom", "status", "--store", store.path).exit_code == 0
    assert not (store.path / "dicom").exists()


WITHOUT_THE_EXTRA = """
import sys
for name in ("pynetdicom", "dicomweb_client", "requests", "watchfiles"):
    sys.modules[name] = None
import edge_retrieve.edge_app.serve
from edge_retrieve.edge_app.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["dicom", "echo", "127.0.0.1", "9", "--called", "PACS"],
        ["dicom", "web-find", "http://127.0.0.1:9", "--patient", "P"],
        ["serve", "--port", "0", "--dicom-port", "9999"],
        ["serve", "--port", "0", "--drop-folder", "."],
    ],
)
def test_without_the_extra_it_is_named(arguments, store, toy, plain_environment):
    if arguments[0] == "serve":
        bundle = ["--bundle", str(toy.bundle.path), "--allow-unsigned"]
        arguments = [*arguments, "--store", str(store.path), *bundle]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=plain_environment,
        check=False,
    )
    assert done.returncode == 1
    assert 'pip install "edge-retrieve[dicom]"' in done.stderr


@pytest.mark.parametrize(
    ("options", "clue"),
    [
        ({"dicom_port": 104, "dicom_host": "0.0.0.0"}, "--dicom-callers"),
        ({"dicom_port": 104, "dicom_host": "::"}, "--dicom-callers"),
        ({"ae_title": "AN_AE_TITLE_TOO_LONG"}, "--ae-title"),
        ({"dicom_callers": "PACS,BAD\\TITLE"}, "--dicom-callers"),
        ({"dicom_tls_key": "key.pem"}, "--dicom-tls-certificate"),
        ({"dicom_tls_authorities": "ca.pem"}, "--dicom-tls-certificate"),
    ],
)
def test_settings_that_contradict_each_other_are_named(options, clue):
    with pytest.raises(ConfigError, match=clue):
        ServerSettings(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"dicom_port": 104, "dicom_host": "0.0.0.0", "dicom_callers": "PACS"},
        {"dicom_port": 104, "dicom_host": "0.0.0.0", "dicom_callers": "*"},
        {"dicom_port": 104, "dicom_host": "::1"},
        {"dicom_host": "0.0.0.0"},
    ],
)
def test_settings_that_fit(options):
    ServerSettings(**options)


def test_a_port_in_use_ends_serve_with_what_to_do(run, scp, store, toy):
    done = run(
        *("serve", "--store", store.path, "--bundle", toy.bundle.path, "--allow-unsigned", "--port", "0"),
        *("--dicom-port", scp.port),
    )
    assert done.exit_code == 1
    assert "--dicom-port" in done.stderr


def test_a_file_in_place_of_the_folder_of_received_objects_is_refused(run, store, tmp_path):
    (tmp_path / "file").write_text("")
    for command in ("status", "quarantine"):
        told = run("dicom", command, "--store", store.path, "--dicom-folder", tmp_path / "file")
        assert told.exit_code != 0
        assert "this is a file" in told.stderr
        assert "--dicom-folder" in told.stderr
