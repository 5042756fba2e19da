"""What comes in is in the audit trail: from whom, which study of the archive, and what became of it."""

import io
import shutil
import subprocess
import warnings

import pydicom
import pytest
from pydicom import uid
from pynetdicom import AE, build_context

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.recorder import Recorder
from edge_retrieve.edge_app.audit.references import references_of
from edge_retrieve.edge_app.audit.verify import read_trail, verify_trail
from edge_retrieve.edge_app.dicom_node.accounting import Accounting
from edge_retrieve.edge_app.dicom_node.arrival import Arrival, Way
from edge_retrieve.edge_app.dicom_node.node import DicomNode
from edge_retrieve.edge_app.dicom_node.quarantine import Fault, quarantined, release
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.dicom_node.stow import store_parts
from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.deid.key import read_or_make_key

SECRET = "MARKED4711"


@pytest.fixture
def site(store):
    return Site.of(store.path)


@pytest.fixture
def told(site):
    """Return a function that gives the lines of the trail: who, outcome, address, subjects, detail."""

    def read():
        assert verify_trail(site.audit).intact
        events = [entry.event for entry in read_trail(site.audit)]
        assert {event.action.value for event in events} <= {"ingest"}
        return [(e.user, e.outcome.value, e.address, e.subjects, e.detail) for e in events]

    return read


@pytest.fixture
def node(spool, store, encoder, site, tmp_path):
    """A node of a de-identified archive that listens and watches a folder."""
    (tmp_path / "drop").mkdir()
    node = DicomNode(
        spool,
        store,
        encoder,
        scp=ScpSettings(port=0, callers=frozenset({"MODALITY"})),
        drop_folder=tmp_path / "drop",
        deidentifier=Deidentifier(read_or_make_key(site.key)),
        recorder=Recorder(site),
    )
    with node:
        yield node


@pytest.fixture
def storescu(tmp_path):
    """Return a function that sends files with dcmtk."""
    if shutil.which("storescu") is None:
        pytest.skip("storescu (Debian package dcmtk) is not installed")

    def send(port, *contents, calling="MODALITY"):
        files = []
        for number, content in enumerate(contents):
            files.append(tmp_path / f"sent{number}.dcm")
            files[-1].write_bytes(content)
        words = ["storescu", "-aet", calling, "-aec", "EDGE_RETRIEVE", "127.0.0.1", port, *files]
        return subprocess.run([str(word) for word in words], capture_output=True, timeout=60).returncode

    return send


def test_what_is_sent_by_c_store_is_told_of_by_its_caller(
    node, storescu, make_image, make_report, told, site, wait_for
):
    good, bad, said = uid.generate_uid(), uid.generate_uid(), uid.generate_uid()
    objects = [
        make_image(1, study=good, patient=SECRET),
        make_image(2, study=bad, patient=SECRET, BodyPartExamined="HAND"),
        make_report(said, "The lungs are clear.", PatientID=SECRET),
    ]
    assert storescu(node.port, *objects) == 0
    wait_for(lambda: not node.spool.entries())
    assert storescu(node.port, objects[0]) == 0
    wait_for(lambda: not node.spool.entries())
    node.stop()
    key = read_or_make_key(site.key)
    of = [references_of(site.key).of(Deidentifier(key).uid(study)) for study in (good, bad, said)]
    (held,) = quarantined(node.spool)
    lines = told()
    assert {line[:3] for line in lines if line[1] != "failed"} == {("AE MODALITY", "done", "127.0.0.1")}
    assert sorted(line[3:] for line in lines) == sorted(
        [
            ((of[0],), "C-STORE: stored"),
            ((of[1],), f"C-STORE: set aside as unusable: object {held.id}"),
            ((of[2],), "C-STORE: report laid by"),
            ((of[0],), "C-STORE: unchanged"),
            ((), "C-STORE: 3 received, 0 refused"),
            ((), "C-STORE: 1 received, 0 refused"),
        ]
    )
    text = "".join(path.read_text() for path in site.audit.glob("*.jsonl"))
    for secret in (SECRET, good, bad, said):
        assert secret not in text


def test_whoever_may_not_call_is_told_of_once_in_a_while(node, storescu, make_image, told):
    assert storescu(node.port, make_image(1), calling="STRANGER") != 0
    assert storescu(node.port, make_image(1), calling="STRANGER") != 0
    node.stop()
    assert told() == [("AE STRANGER", "refused", "127.0.0.1", (), "association rejected")]


def test_rejections_that_went_untold_are_counted(site, told, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.accounting.time.monotonic", lambda: now[0])
    accounting = Accounting(Recorder(site))
    for second in (0.0, 1.0, 9.0, 11.0, 12.0):
        now[0] = 100.0 + second
        accounting.rejected(Arrival(Way.C_STORE, "X", "10.0.0.1"))
    accounting.close()
    assert [line[4] for line in told()] == ["association rejected", "association rejected, and 2 before it"]


def test_a_caller_who_goes_without_a_word_is_told_of_too(node, make_image, told, wait_for):
    entity = AE("MODALITY")
    contexts = [build_context(uid.ComputedRadiographyImageStorage, [uid.ExplicitVRLittleEndian])]
    association = entity.associate("127.0.0.1", node.port, contexts, ae_title="EDGE_RETRIEVE")
    assert association.send_c_store(pydicom.dcmread(io.BytesIO(make_image(1)))).Status == 0
    association.abort()
    wait_for(lambda: not node.spool.entries())
    node.stop()
    assert ("AE MODALITY", "done", "127.0.0.1", (), "C-STORE: 1 received, 0 refused") in told()


def test_what_lies_in_the_drop_folder_is_told_of(node, toy, tmp_path, told, store, wait_for):
    toy.save(tmp_path / "drop" / f"{SECRET}.png", seed=3)
    wait_for(lambda: store.count() == 1 and not node.spool.entries())
    node.stop()
    lines = told()
    assert ("drop folder", "done", str(tmp_path / "drop"), (), "drop folder: 1 taken") in lines
    (stored,) = [line for line in lines if line[4] == "drop folder: stored"]
    study = store.studies(limit=1)[0].study
    assert stored[3] == (references_of(Site.of(store.path).key).of(study),)
    assert not any(SECRET in str(line) for line in lines)


def test_what_is_sent_by_stow_is_told_of_by_its_user(spool, make_worker, site, make_image, told):
    store_parts(spool, [make_image(1)], user="token of otto", address="10.1.1.7")
    accounting = Accounting(Recorder(site))
    make_worker(accounting=accounting).drain()
    accounting.close()
    ((user, outcome, address, subjects, detail),) = told()
    assert (user, outcome, address, detail) == ("token of otto", "done", "10.1.1.7", "STOW-RS: stored")
    assert len(subjects) == 1


def test_what_an_earlier_version_received_is_told_of_by_its_files_ae_title(
    spool, make_worker, site, make_image, told
):
    held = pydicom.dcmread(io.BytesIO(make_image(1)))
    held.file_meta.SourceApplicationEntityTitle = "OLD_CALLER"
    stream = io.BytesIO()
    held.save_as(stream, enforce_file_format=True)
    spool.put([stream.getvalue()])
    spool.put([b"nothing at all"])
    accounting = Accounting(Recorder(site))
    make_worker(accounting=accounting).drain()
    accounting.close()
    lines = sorted((line[0], line[1]) for line in told())
    assert lines == [("AE OLD_CALLER", "done"), ("unknown sender", "failed")]


def test_how_it_came_is_kept_through_attempts_quarantine_and_release(spool, make_worker):
    came = Arrival(Way.C_STORE, "ROOM 1/2\\x", "fe80::1")
    entry = spool.begin(spool.put([b"bad"], arrival=came))
    assert entry.arrival == came
    assert Spool(spool.folder).entries()[0].arrival == came
    make_worker().drain()
    (held,) = quarantined(spool)
    assert held.sender == "ROOM 1/2\\x"
    release(spool, held.id)
    assert spool.entries()[0].arrival == came


@pytest.mark.parametrize("part", ["", "xyz", "!!!", "QUJD", "QVxCXEM=="])
def test_a_name_that_is_none_of_ours_is_no_arrival(part):
    assert Arrival.from_name(part) is None


def test_what_is_not_plain_does_not_reach_the_trail():
    came = Arrival(Way.C_STORE, "A\tB\nC\x1b[31m", "x" * 500)
    assert Arrival.from_name(came.as_name()) == Arrival(Way.C_STORE, "A?B?C?[31m", "x" * 64)


def test_an_object_waits_while_the_trail_cannot_be_written(
    spool, make_worker, site, store, make_image, told, monkeypatch
):
    spool.put([make_image(1)])
    accounting = Accounting(Recorder(site))
    worker = make_worker(accounting=accounting)
    real = Recorder.record

    def full(recorder, *words, **more):
        raise AuditError("the audit trail cannot be written (No space left on device)")

    monkeypatch.setattr(Recorder, "record", full)
    worker.drain()
    assert len(spool.entries()) == 1
    assert "No space left" in worker.status.failing
    monkeypatch.setattr(Recorder, "record", real)
    make_worker(accounting=accounting).drain()
    accounting.close()
    assert spool.entries() == []
    assert store.count() == 1
    assert [line[4] for line in told()] == ["unchanged"]


def test_a_study_uid_that_leads_elsewhere_deletes_nothing(spool, make_worker, store, make_image, tmp_path):
    """A sender may write anything into a header; a store that keeps identities takes it as it is."""
    target = spool.folder / "target.txt"
    target.write_text("keep me")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom says that it is no UID
        data = make_image(1, study="../target")
    spool.put([data])
    make_worker().drain()
    assert store.count() == 1
    assert target.exists()


def test_a_fault_of_the_gate_is_a_refusal(site, spool, told):
    accounting = Accounting(Recorder(site))
    entry = spool.put([b"x"], arrival=Arrival(Way.C_GET, "PACS", "10.0.0.9"))
    accounting.set_aside(entry, "", "1.2.3", Fault.REFUSED)
    accounting.close()
    ((user, outcome, address, _, detail),) = told()
    assert (user, outcome, address) == ("AE PACS", "refused", "10.0.0.9")
    assert detail == f"C-GET: set aside as refused: object {entry.id}"
