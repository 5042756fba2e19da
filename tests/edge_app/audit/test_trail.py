"""The trail is chained, survives what happens to files, and shows what was done to it."""

import hashlib
import json
import os
import stat
import subprocess
import sys

import pytest

from edge_retrieve.edge_app.access.guard import Guard
from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.access_settings import AccessSettings
from edge_retrieve.edge_app.audit import Action, AuditError, AuditTrail, Event, Outcome, verify_trail
from edge_retrieve.edge_app.audit.verify import read_trail


def write(folder, *names, **options):
    with AuditTrail(folder, **options) as trail:
        for name in names:
            trail.record(Event(name, Action.VIEW, subjects=("ref",), address="10.0.0.1"))


def lines(folder):
    return [line for path in sorted(folder.glob("trail-*.jsonl")) for line in path.read_text().splitlines()]


def test_what_was_done_is_read_again_in_order(tmp_path):
    write(tmp_path / "audit", "rita", "otto")
    entries = list(read_trail(tmp_path / "audit"))
    assert [entry.number for entry in entries] == [1, 2]
    assert entries[0].event == Event("rita", Action.VIEW, Outcome.DONE, "10.0.0.1", ("ref",))
    assert entries[0].time <= entries[1].time
    assert entries[0].time.endswith("+00:00")


def test_the_chain_is_sha256_over_the_line_before(tmp_path):
    """Recomputed here from the file alone, without our code."""
    write(tmp_path / "audit", "rita", "otto", "ada")
    previous = "0" * 64
    for line in lines(tmp_path / "audit"):
        fields = json.loads(line)
        digest = fields.pop("digest")
        assert fields["previous"] == previous
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(canonical.encode()).hexdigest() == digest
        previous = digest
    verdict = verify_trail(tmp_path / "audit")
    assert verdict.intact
    assert verdict.head == f"3:{previous}"


def test_files_are_for_their_owner_only(tmp_path):
    write(tmp_path / "audit", "rita")
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o700
    for path in (tmp_path / "audit").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("row", [0, 2, 4])
def test_a_changed_line_is_named(tmp_path, row):
    folder = tmp_path / "audit"
    write(folder, *"abcde")
    path = folder / "trail-000001.jsonl"
    changed = path.read_text().splitlines()
    changed[row] = changed[row].replace("10.0.0.1", "10.0.0.2")
    path.write_text("\n".join(changed) + "\n")
    verdict = verify_trail(folder)
    assert not verdict.intact
    assert verdict.broken_at == f"trail-000001.jsonl, line {row + 1}"
    assert verdict.lines == row


def rewritten(line, **changes):
    """A line changed by somebody who knows how digests are made."""
    fields = {**json.loads(line), **changes}
    fields.pop("digest")
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return json.dumps({**fields, "digest": hashlib.sha256(canonical.encode()).hexdigest()})


@pytest.mark.parametrize(
    ("change", "broken", "reason"),
    [
        (lambda rows: rows[:2] + rows[3:], 3, "lines are missing"),
        (lambda rows: [rows[0], rows[2], rows[1], *rows[3:]], 2, "lines are missing"),
        (lambda rows: [rewritten(rows[0], user="eve"), *rows[1:]], 2, "does not follow"),
        (lambda rows: rows[1:], 1, "lines are missing"),
        (lambda rows: [*rows[:2], "not json", *rows[2:]], 3, "no line of an audit trail"),
        (lambda rows: [*rows, rows[-1]], 6, "number"),
    ],
)
def test_removing_swapping_and_replacing_is_seen(tmp_path, change, broken, reason):
    folder = tmp_path / "audit"
    write(folder, *"abcde")
    path = folder / "trail-000001.jsonl"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    verdict = verify_trail(folder)
    assert verdict.broken_at == f"trail-000001.jsonl, line {broken}"
    assert reason in verdict.reason


def test_a_cut_off_end_is_seen_by_the_head_written_down_before(tmp_path):
    folder = tmp_path / "audit"
    write(folder, *"abc")
    head = verify_trail(folder).head
    write(folder, *"de")
    assert verify_trail(folder, head).intact
    path = folder / "trail-000001.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[:2]) + "\n")
    assert verify_trail(folder).intact
    assert "not in it" in verify_trail(folder, head).reason


def test_rotation_keeps_the_chain(tmp_path):
    folder = tmp_path / "audit"
    for n in range(12):
        write(folder, f"user{n}", largest_file=600)
    assert len(list(folder.glob("trail-*.jsonl"))) > 3
    assert verify_trail(folder).lines == 12
    (folder / "trail-000002.jsonl").unlink()
    assert verify_trail(folder).broken_at == "trail-000003.jsonl, line 1"


@pytest.mark.parametrize("cut", [1, 10, 150])
def test_a_line_that_a_power_cut_tore_is_removed_and_told_of(tmp_path, cut):
    folder = tmp_path / "audit"
    write(folder, *"abc")
    path = folder / "trail-000001.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert "power cut" in verify_trail(folder).reason
    write(folder, "d")
    entries = list(read_trail(folder))
    assert [entry.event.user for entry in entries] == ["a", "b", "system", "d"]
    assert "unfinished line" in entries[2].event.detail
    assert verify_trail(folder).intact


def test_a_torn_first_line_leaves_an_empty_trail(tmp_path):
    folder = tmp_path / "audit"
    write(folder, "a")
    path = folder / "trail-000001.jsonl"
    path.write_bytes(path.read_bytes()[:20])
    write(folder, "b")
    assert [entry.event.user for entry in read_trail(folder)] == ["system", "b"]


def test_nothing_is_added_to_a_trail_whose_end_is_damaged(tmp_path):
    folder = tmp_path / "audit"
    write(folder, "a")
    path = folder / "trail-000001.jsonl"
    path.write_text(path.read_text() + "garbage\n")
    with pytest.raises(AuditError, match="damaged"):
        AuditTrail(folder)
    assert path.read_text().endswith("garbage\n")


HAMMER = """
import sys, pathlib
from edge_retrieve.edge_app.audit import Action, AuditTrail, Event
with AuditTrail(pathlib.Path(sys.argv[1]), write_after_s=0.001) as trail:
    for _ in range(50):
        trail.record(Event("p", Action.LIST))
        trail.flush()
"""


def test_processes_write_to_one_trail(tmp_path):
    folder = tmp_path / "audit"
    workers = [subprocess.Popen([sys.executable, "-c", HAMMER, str(folder)]) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    verdict = verify_trail(folder)
    assert verdict.intact
    assert verdict.lines == 100


def test_an_event_is_on_disk_soon_without_being_asked_for(tmp_path):
    folder = tmp_path / "audit"
    with AuditTrail(folder, write_after_s=0.01) as trail:
        trail.record(Event("rita", Action.LIST))
        for _ in range(500):
            if lines(folder):
                break
            trail._thread.join(0.01)
        assert len(lines(folder)) == 1


def test_a_disk_that_takes_nothing_stops_what_cannot_be_recorded(tmp_path, monkeypatch):
    folder = tmp_path / "audit"
    with AuditTrail(folder, write_after_s=60) as trail:
        trail.record(Event("rita", Action.LIST))
        real = os.write

        def full(descriptor, data):
            real(descriptor, bytes(data)[:40])  # a part of it arrives
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(AuditError, match="No space left"):
            trail.flush()
        with pytest.raises(AuditError, match="No space left"):
            trail.record(Event("rita", Action.VIEW))
        monkeypatch.undo()
        trail.flush()
        trail.record(Event("rita", Action.SEARCH))
    verdict = verify_trail(folder)
    assert verdict.intact
    assert [entry.event.action for entry in read_trail(folder)] == [Action.LIST, Action.SEARCH]


def test_a_reader_who_stops_halfway_keeps_nobody_from_writing(tmp_path):
    folder = tmp_path / "audit"
    write(folder, *"abc")
    halfway = read_trail(folder)
    assert next(halfway).event.user == "a"
    write(folder, "d")
    # He sees the trail as it was when he began.
    assert [entry.event.user for entry in halfway] == ["b", "c"]
    assert verify_trail(folder).lines == 4


def test_a_server_that_records_nothing_says_so(tmp_path, caplog):
    (tmp_path / "audit").write_text("a file where a folder is due")
    guard = Guard(Site(tmp_path), AccessSettings(), shows_identities=lambda: True)
    assert "nothing of what is looked at is recorded" in caplog.text
    assert str(tmp_path) not in caplog.text
    guard.close()
