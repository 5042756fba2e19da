"""A real PACS beside us: Orthanc with its DICOMweb plugin, as Debian ships them."""

import io
import json
import time

import pydicom
import pytest
from pydicom import uid

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.recorder import Recorder
from edge_retrieve.edge_app.audit.references import references_of
from edge_retrieve.edge_app.audit.verify import read_trail, verify_trail
from edge_retrieve.edge_app.dicom_node import dicomweb, scu
from edge_retrieve.edge_app.dicom_node.checking import check_association
from edge_retrieve.edge_app.dicom_node.dicomweb import DicomWebPeer
from edge_retrieve.edge_app.dicom_node.node import DicomNode
from edge_retrieve.edge_app.dicom_node.peers import DicomError, Peer
from edge_retrieve.edge_app.dicom_node.scp import StorageScp
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.privacy import prepare_ingest
from edge_retrieve.runtime.errors import ConfigError, QueryError


@pytest.fixture(scope="module")
def pacs(orthanc):
    return Peer("127.0.0.1", orthanc.dicom_port, "ORTHANC")


@pytest.fixture(scope="module")
def web(orthanc, tmp_path_factory):
    credentials = tmp_path_factory.mktemp("credentials") / "web"
    credentials.write_text("reader:secret\n")
    return DicomWebPeer(f"{orthanc.url}/dicom-web", credentials)


@pytest.fixture(scope="module")
def priors(pacs, make_image, make_report, tmp_path_factory):
    """Two X-ray studies of one patient, one with a report, and a CT of theirs; one study of another."""
    folder = tmp_path_factory.mktemp("priors")
    first, second, other = (uid.generate_uid() for _ in range(3))
    files = {
        "first": make_image(11, patient="PRIOR", study=first, AccessionNumber="A1"),
        "report": make_report(first, "The lungs are clear.", PatientID="PRIOR", AccessionNumber="A1"),
        "second": make_image(
            12, patient="PRIOR", study=second, StudyDate="20250601", syntax=uid.ImplicitVRLittleEndian
        ),
        "other": make_image(13, patient="PRIOR2", study=other),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    sent = scu.send_files(pacs, [folder / name for name in files])
    assert [each.what for each in sent if not each.ok] == []
    return files, {"first": first, "second": second, "other": other}


def test_orthanc_is_reached_step_by_step(pacs):
    assert check_association(pacs).ok


def test_orthanc_says_why_it_rejects(pacs):
    """Debian's Orthanc is set up here to answer only to its own AE title."""
    check = check_association(Peer(pacs.host, pacs.port, "SOMEBODY"))
    assert "called ae title not recognised" in check.steps[-1].what.lower()


def test_a_patients_studies_are_found_the_newest_first(pacs, priors):
    _, studies = priors
    found = scu.find_studies(pacs, patient="PRIOR")
    assert [each.study for each in found] == [studies["second"], studies["first"]]
    assert {each.patient for each in found} == {"PRIOR"}
    assert found[1].accession == "A1"
    assert set(found[1].modalities) == {"CR", "SR"}
    assert all(each.may_be_xray for each in found)
    assert scu.find_studies(pacs, accession="A1")[0].study == studies["first"]
    assert scu.find_studies(pacs, patient="NOBODY") == ()


@pytest.mark.parametrize("patient", ["PRIOR*", "PRIO?", "*", "A\\B"])
@pytest.mark.parametrize("ask", [scu.find_studies, dicomweb.find_studies])
def test_wildcards_are_refused(pacs, web, ask, patient):
    with pytest.raises(QueryError, match="other patients"):
        ask(pacs if ask is scu.find_studies else web, patient=patient)


def test_a_search_for_nothing_is_refused(pacs):
    with pytest.raises(QueryError, match="nothing"):
        scu.find_studies(pacs)


def as_sent(spool):
    return sorted(
        (pydicom.dcmread(entry.path) for entry in spool.entries()), key=lambda each: each.SOPInstanceUID
    )


def originals(files, *names):
    return sorted(
        (pydicom.dcmread(io.BytesIO(files[name])) for name in names), key=lambda each: each.SOPInstanceUID
    )


def test_a_study_is_fetched_over_the_same_connection(pacs, priors, spool):
    files, studies = priors
    transfer = scu.get_study(pacs, studies["first"], spool)
    assert (transfer.completed, transfer.failed) == (2, 0)
    assert as_sent(spool) == originals(files, "first", "report")


def test_a_study_is_sent_to_a_node_on_request(pacs, priors, spool, orthanc):
    files, studies = priors
    node = StorageScp(spool, ScpSettings(port=orthanc.move_port, ae_title="MOVED_TO"))
    node.start()
    try:
        transfer = scu.move_study(pacs, studies["second"], "MOVED_TO")
    finally:
        node.stop(1.0)
    assert (transfer.completed, transfer.failed) == (1, 0)
    assert as_sent(spool) == originals(files, "second")


def test_an_unknown_destination_is_named(pacs, priors):
    _, studies = priors
    with pytest.raises(DicomError, match=r"destination|0xC"):
        scu.move_study(pacs, studies["second"], "UNHEARD_OF")


def test_a_prior_becomes_a_study_with_its_report(pacs, priors, spool, worker, store):
    _, studies = priors
    scu.get_study(pacs, studies["first"], spool)
    worker.drain()
    assert store.study(studies["first"]).report == "FINDINGS: The lungs are clear."


def test_what_is_sent_comes_back_the_same(pacs, orthanc, make_report, tmp_path):
    """A structured report, as results are."""
    data = make_report(uid.generate_uid(), "The lungs are clear.")
    (tmp_path / "sr.dcm").write_bytes(data)
    (sent,) = scu.send_files(pacs, [tmp_path / "sr.dcm"])
    assert sent.ok
    sent = pydicom.dcmread(io.BytesIO(data))
    (found,) = orthanc.post("/tools/lookup", sent.SOPInstanceUID)
    assert pydicom.dcmread(io.BytesIO(orthanc.get(f"/instances/{found['ID']}/file"))) == sent


def test_a_file_that_is_no_dicom_is_told_and_the_rest_sent(pacs, make_image, tmp_path):
    (tmp_path / "text.dcm").write_text("no DICOM")
    (tmp_path / "image.dcm").write_bytes(make_image(21))
    first, second = scu.send_files(pacs, [tmp_path / "text.dcm", tmp_path / "image.dcm"])
    assert (first.ok, second.ok) == (False, True)
    assert "not a DICOM file" in first.what


def test_qido_finds_what_c_find_does(pacs, web, priors):
    by_web = dicomweb.find_studies(web, patient="PRIOR")
    by_dimse = scu.find_studies(pacs, patient="PRIOR")
    assert [(each.study, each.date, each.accession, set(each.modalities)) for each in by_web] == [
        (each.study, each.date, each.accession, set(each.modalities)) for each in by_dimse
    ]


def test_wado_fetches_what_was_stored(web, priors, spool):
    files, studies = priors
    transfer = dicomweb.fetch_study(web, studies["first"], spool)
    assert transfer.completed == 2
    assert as_sent(spool) == originals(files, "first", "report")


def test_stow_sends(web, pacs, make_image, tmp_path):
    study = uid.generate_uid()
    (tmp_path / "image.dcm").write_bytes(make_image(31, patient="STOWED", study=study))
    (tmp_path / "text.dcm").write_text("no DICOM")
    first, second = dicomweb.send_files(web, [tmp_path / "image.dcm", tmp_path / "text.dcm"])
    assert (first.ok, second.ok) == (True, False)
    assert [each.study for each in scu.find_studies(pacs, patient="STOWED")] == [study]


def test_a_study_that_is_not_there(web, spool):
    with pytest.raises(DicomError, match="404"):
        dicomweb.fetch_study(web, "1.2.3.4", spool)


def test_a_missing_password_is_told(orthanc):
    with pytest.raises(DicomError, match="--credentials"):
        dicomweb.find_studies(DicomWebPeer(f"{orthanc.url}/dicom-web"), patient="PRIOR")


def test_another_address_is_told(orthanc, web):
    with pytest.raises(DicomError, match="404"):
        dicomweb.find_studies(DicomWebPeer(f"{orthanc.url}/elsewhere", web.credentials), patient="PRIOR")
    with pytest.raises(DicomError, match="reached"):
        dicomweb.find_studies(DicomWebPeer("http://127.0.0.1:9"), patient="PRIOR")
    with pytest.raises(ConfigError, match="http"):
        DicomWebPeer("pacs.local")


def test_no_proxy_of_the_environment_is_used(web, priors, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert len(dicomweb.find_studies(web, patient="PRIOR")) == 2


def test_the_commands_do_it_all(run, pacs, web, orthanc, priors, store):
    where = ["127.0.0.1", pacs.port, "--called", "ORTHANC"]
    found = run("dicom", "find", *where, "--patient", "PRIOR", "--json")
    assert found.exit_code == 0, found.output
    assert len(json.loads(found.stdout)["studies"]) == 2
    fetched = run("dicom", "fetch", *where, "--patient", "PRIOR", "--store", store.path, "--json")
    assert fetched.exit_code == 0, fetched.output
    assert json.loads(fetched.stdout) == {"studies": 2, "completed": 3, "failed": 0}
    status = run("dicom", "status", "--store", store.path, "--json")
    assert json.loads(status.stdout)["waiting"] == 3
    at = [web.url, "--credentials", web.credentials]
    assert (
        len(json.loads(run("dicom", "web-find", *at, "--patient", "PRIOR", "--json").stdout)["studies"]) == 2
    )
    fetched = run("dicom", "web-fetch", *at, "--accession", "A1", "--store", store.path, "--json")
    assert json.loads(fetched.stdout)["completed"] == 2


def test_what_the_commands_ask_a_pacs_for_is_in_the_trail(run, pacs, priors, store, encoder, spool, orthanc):
    """Also of an archive with pseudonyms: there by what it calls the studies."""
    _, studies = priors
    site = Site.of(store.path)
    own = prepare_ingest(store, site, [])
    where = ["127.0.0.1", pacs.port, "--called", "ORTHANC", "--store", store.path]
    assert run("dicom", "find", *where, "--patient", "PRIOR").exit_code == 0
    assert run("dicom", "fetch", *where, "--study", studies["first"]).exit_code == 0
    with DicomNode(
        spool,
        store,
        encoder,
        scp=ScpSettings(port=orthanc.move_port, ae_title="MOVED_TO"),
        deidentifier=own,
        recorder=Recorder(site),
    ):
        assert (
            run("dicom", "fetch", *where, "--study", studies["second"], "--move-to", "MOVED_TO").exit_code
            == 0
        )
        deadline = time.monotonic() + 20
        while spool.entries() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert verify_trail(site.audit).intact
    lines = [
        (each.event.user.split()[0], each.event.action.value, each.event.subjects, each.event.detail)
        for each in read_trail(site.audit)
    ]
    first, second = (references_of(site.key).of(own.uid(studies[name])) for name in ("first", "second"))
    at = f"ORTHANC at 127.0.0.1:{pacs.port}"
    assert lines[:2] == [
        ("system", "search", (second, first), f"C-FIND at {at}"),
        ("system", "ingest", (first,), f"C-GET from {at}"),
    ]
    assert ("system", "ingest", (second,), f"C-MOVE to MOVED_TO from {at}") in lines
    received = {line[2:] for line in lines if line[0] == "AE"}
    # Whichever of image and report the PACS sent first.
    report = {((first,), "C-GET: report laid by"), ((first,), "C-GET: report stored")}
    assert len(received & report) == 1
    assert received - report == {
        ((first,), "C-GET: stored"),
        ((second,), "C-STORE: stored"),
        ((), "C-STORE: 1 received, 0 refused"),
    }
