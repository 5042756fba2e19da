"""What a command leaves in the audit trail, and what it tells where both it and the trail fail."""

import pytest

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.commands import audited
from edge_retrieve.edge_app.audit.errors import AuditError
from edge_retrieve.edge_app.audit.events import Action
from edge_retrieve.edge_app.audit.recorder import Recorder
from edge_retrieve.runtime.errors import StoreError


def lines(site):
    return "".join(path.read_text() for path in sorted(site.audit.glob("trail-*.jsonl")))


def fail():
    raise StoreError("the disk is full")


def test_done_and_failed_work_is_told_apart(tmp_path):
    site = Site.of(tmp_path)
    with audited(site, Action.INGEST):
        pass
    assert '"failed"' not in lines(site)
    with pytest.raises(StoreError, match="the disk is full"), audited(site, Action.INGEST):
        fail()
    assert '"failed"' in lines(site)


def test_what_went_wrong_first_is_told_where_the_trail_cannot_be_written_either(tmp_path, monkeypatch):
    def full(self):
        raise AuditError("the audit trail cannot be written")

    monkeypatch.setattr(Recorder, "close", full)
    with pytest.raises(StoreError, match="the disk is full"), audited(Site.of(tmp_path), Action.INGEST):
        fail()
    with pytest.raises(AuditError), audited(Site.of(tmp_path), Action.INGEST):
        pass
