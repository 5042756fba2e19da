"""The quarantine of a server that receives nothing itself."""

from edge_retrieve.edge_app.dicom_node.quarantine import Fault, quarantined, set_aside
from edge_retrieve.edge_app.dicom_node.spool import Spool


def test_a_server_that_receives_nothing_lists_what_was_left_and_tries_nothing(make_own):
    own = make_own()
    assert own.get("/api/quarantine").json() == {"total": 0, "offset": 0, "objects": []}
    refused = own.post("/api/quarantine/retry")
    assert (refused.status_code, "takes in no objects" in refused.json()["what"]) == (409, True)
    assert own.delete("/api/quarantine/1-ab").status_code == 404


def test_what_an_earlier_run_left_can_be_deleted(own):
    spool = Spool(own.workspace.store.path / "dicom")
    entry = spool.put([b"bad"])
    set_aside(spool, entry, Fault.FAILED, "RuntimeError")
    (held,) = own.get("/api/quarantine").json()["objects"]
    assert (held["object"], held["fault"], held["bytes"]) == (entry.id, "failed", 3)
    assert own.delete(f"/api/quarantine/{entry.id}").status_code == 204
    assert quarantined(spool) == ()
