"""Jobs: ingest, rebuild and backup, begun over HTTP and looked at."""

import gc
import json
import threading
import time
import weakref

import pytest

from edge_retrieve.edge_app.jobs import JobKind, JobState
from edge_retrieve.edge_app.jobs.runner import Jobs
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.store import restore_backup


def begin(client, **wanted):
    answer = client.post("/api/jobs", json=wanted)
    assert answer.status_code == 202, answer.text
    return answer.json()["job"]


def ended(client, job, seconds=30.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = client.get(f"/api/jobs/{job}").json()
        if found["state"] not in ("queued", "running"):
            return found
        time.sleep(0.02)
    raise AssertionError(f"the job has not ended: {found}")


def test_an_upload_is_ingested_with_its_report_and_found(own, send, query_image):
    upload = send(own, query_image.read_bytes(), "query.png")["upload"]
    report = "FINDINGS: There is a mass in the left lung."
    done = ended(own, begin(own, kind="ingest", upload=upload, report=report))
    assert done["state"] == "done", done
    assert done["result"] == {"accepted": 0, "flagged": 1, "rejected": 0, "unchanged": 0}
    listed = own.get("/api/studies", params={"search": "mass left"}).json()
    assert listed["total"] == 1
    assert own.get(f"/api/studies/{listed['studies'][0]['study']}").json()["report"] == report
    hits = own.post("/api/query", json={"text": "mass", "k": 1}).json()["hits"]
    assert hits[0]["study"] == listed["studies"][0]["study"]


def test_a_folder_that_is_allowed_is_ingested(make_own, toy, tmp_path):
    for n in range(3):
        toy.save(tmp_path / "in" / f"{n}.png", seed=50 + n, right_upper_lung_zone=0.5)
    client = make_own(ingest_folders=f"/nowhere:{tmp_path / 'in'}")
    done = ended(client, begin(client, kind="ingest", path=str(tmp_path / "in")))
    assert (done["done"], done["result"]["flagged"]) == (done["total"], 3)
    assert client.get("/readyz").json()["studies"] == 9


@pytest.mark.parametrize(
    "wanted",
    [
        "{top}/out/x.png",
        "{top}/in/../out/x.png",
        "{top}/in/link.png",
        "/etc/passwd",
        "{top}/in/none",
        "in\x00",
    ],
)
def test_no_other_folder_is_read(make_own, toy, tmp_path, wanted):
    outside = toy.save(tmp_path / "out" / "x.png", seed=3)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.png").symlink_to(outside)
    client = make_own(ingest_folders=str(tmp_path / "in"))
    answers = [
        client.post("/api/jobs", json={"kind": "ingest", "path": path})
        for path in (wanted.format(top=tmp_path), f"{tmp_path}/out/not-there")
    ]
    # What exists but may not be read is not told apart from what does not exist.
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json() == answers[1].json()


def test_without_a_folder_allowed_none_is_read(own, archive):
    answer = own.post("/api/jobs", json={"kind": "ingest", "path": str(archive)})
    assert (answer.status_code, "--ingest-folders" in answer.json()["remedy"]) == (422, True)


def test_a_backup_can_be_restored(make_own, tmp_path):
    client = make_own(backup_folder=str(tmp_path))
    done = ended(client, begin(client, kind="backup", name="monday"))
    assert (done["state"], done["result"]["studies"]) == ("done", 6)
    assert restore_backup(tmp_path / "monday", tmp_path / "restored").studies == 6
    again = ended(client, begin(client, kind="backup", name="monday"))
    assert (again["state"], bool(again["problem"]["remedy"])) == ("failed", True)


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", "x" * 101, "a\x00b"])
def test_a_backup_stays_in_its_folder(make_own, tmp_path, name):
    client = make_own(backup_folder=str(tmp_path / "backups"))
    assert client.post("/api/jobs", json={"kind": "backup", "name": name}).status_code == 422
    assert not (tmp_path / "out").exists()


def test_a_rebuild_leaves_no_trace_of_what_was_deleted(own, studies):
    own.workspace.store.delete([studies[0]])
    done = ended(own, begin(own, kind="rebuild"))
    assert done["result"] == {"erased": "yes"}
    assert own.workspace.store.stats().unerased == 0
    assert own.post("/api/query", json={"text": "nodule", "k": 6}).json()["hits"]


def test_a_file_that_is_rejected_says_why_and_not_where(make_own, toy, tmp_path):
    (tmp_path / "in" / "SMITH-JOHN").mkdir(parents=True)
    (tmp_path / "in" / "SMITH-JOHN" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    client = make_own(ingest_folders=str(tmp_path))
    done = ended(client, begin(client, kind="ingest", path=str(tmp_path / "in")))
    assert done["result"]["rejected"] == 1
    assert "truncated" in done["result"]["reason"]
    assert "SMITH" not in str(done)


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"kind": "ingest"}, 422),
        ({"kind": "ingest", "upload": "nothing"}, 404),
        ({"kind": "ingest", "upload": "a", "path": "b"}, 422),
        ({"kind": "ingest", "path": "b", "report": "c"}, 422),
        ({"kind": "rebuild", "name": "x"}, 422),
        ({"kind": "backup", "upload": "x"}, 422),
        ({"kind": "backup"}, 422),
        ({"kind": "delete everything"}, 422),
        ({}, 422),
    ],
)
def test_what_is_no_job_is_refused(own, wanted, status):
    assert own.post("/api/jobs", json=wanted).status_code == status
    assert own.get("/api/jobs").json() == {"jobs": []}


def test_events_tell_the_whole_course(own):
    job = begin(own, kind="rebuild")
    with own.stream("GET", f"/api/jobs/{job}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = [event for event in "".join(answer.iter_text()).split("\n\n") if event]
    names = [event.splitlines()[0] for event in told]
    last = json.loads(told[-1].splitlines()[1].removeprefix("data: "))
    assert names[-1] == "event: end"
    assert set(names[:-1]) <= {"event: progress"}
    assert last == own.get(f"/api/jobs/{job}").json()
    assert last["state"] == "done"


def test_an_unknown_job_is_not_found(own):
    for method, address in (("GET", ""), ("DELETE", ""), ("GET", "/events")):
        assert own.request(method, f"/api/jobs/nothing{address}").status_code == 404


@pytest.fixture
def jobs():
    made = Jobs()
    yield made
    made.close()


def waited(jobs, job, state):
    until = time.monotonic() + 10
    while jobs.get(job).state is not state:
        assert time.monotonic() < until, jobs.get(job)
        time.sleep(0.005)
    return jobs.get(job)


def endless(progress):
    for done in range(1_000_000):
        progress(done, 0, "on and on")
        time.sleep(0.001)
    return {}


def test_a_running_job_is_cancelled_and_the_next_one_runs(jobs):
    first = jobs.begin(JobKind.INGEST, endless).job
    second = jobs.begin(JobKind.REBUILD, lambda progress: {"erased": "yes"}).job
    waited(jobs, first, JobState.RUNNING)
    assert jobs.get(second).state is JobState.QUEUED
    jobs.cancel(first)
    assert waited(jobs, first, JobState.CANCELLED).ended
    assert waited(jobs, second, JobState.DONE).result == {"erased": "yes"}
    assert jobs.cancel(second).state is JobState.DONE


def test_what_is_to_be_sent_waits_for_no_ingest_and_the_next_ingest_for_no_peer(jobs):
    storing = jobs.begin(JobKind.INGEST, endless).job
    waited(jobs, storing, JobState.RUNNING)
    sending = jobs.begin(JobKind.SEND, endless).job
    waited(jobs, sending, JobState.RUNNING)
    next_sent = jobs.begin(JobKind.SEND, lambda progress: {}).job
    backup = jobs.begin(JobKind.BACKUP, lambda progress: {}).job
    assert {jobs.get(next_sent).state, jobs.get(backup).state} == {JobState.QUEUED}
    jobs.cancel(storing)
    waited(jobs, backup, JobState.DONE)
    assert jobs.get(next_sent).state is JobState.QUEUED
    jobs.cancel(sending)
    waited(jobs, next_sent, JobState.DONE)


def test_a_job_cancelled_before_its_turn_is_discarded_and_never_runs(jobs):
    first = jobs.begin(JobKind.INGEST, endless).job
    told = []
    second = jobs.begin(
        JobKind.BACKUP, lambda progress: told.append("ran") or {}, discard=lambda: told.append("discarded")
    )
    assert jobs.cancel(second.job).state is JobState.CANCELLED
    jobs.cancel(first)
    waited(jobs, first, JobState.CANCELLED)
    assert told == ["discarded"]


def test_a_job_that_fails_says_why_and_the_next_one_runs(jobs, caplog):
    def failing(progress):
        raise StoreError("the disk is full", where="store", remedy="Free some space")

    def broken(progress):
        raise ZeroDivisionError

    names = [jobs.begin(JobKind.REBUILD, work).job for work in (failing, broken, lambda progress: {})]
    problems = [
        waited(jobs, names[0], JobState.FAILED).problem,
        waited(jobs, names[1], JobState.FAILED).problem,
    ]
    assert (problems[0].what, problems[0].remedy) == ("the disk is full", "Free some space")
    assert problems[1].what == "the job failed"
    assert waited(jobs, names[2], JobState.DONE).problem is None


def test_closing_ends_what_runs():
    jobs = Jobs()
    job = jobs.begin(JobKind.INGEST, endless).job
    waited(jobs, job, JobState.RUNNING)
    closer = threading.Thread(target=jobs.close)
    closer.start()
    closer.join(10)
    assert not closer.is_alive()
    assert jobs.get(job).state is JobState.CANCELLED


def test_ended_jobs_are_forgotten_at_length(jobs):
    for _ in range(230):
        last = jobs.begin(JobKind.REBUILD, lambda progress: {}).job
        waited(jobs, last, JobState.DONE)
    assert len(jobs.all()) <= 201
    assert jobs.all()[0].job == last


def test_a_job_that_has_ended_lets_go_of_what_it_worked_on():
    class Large:
        pass

    large = Large()
    there = weakref.ref(large)

    def work(progress, held=large):
        return {}

    jobs = Jobs()
    job = jobs.begin(JobKind.INGEST, work).job
    until = time.monotonic() + 30
    while not jobs.get(job).state.ended:
        assert time.monotonic() < until
        time.sleep(0.01)
    del large, work
    gc.collect()
    assert there() is None
    assert jobs.get(job).state is JobState.DONE
    jobs.close()
