"""The end of a real server, ended by a signal while it works."""

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

CLIENTS = 6
BODY = json.dumps({"text": "nodule in the right upper lung zone", "k": 3}).encode()


@pytest.fixture
def start(toy, store_path, plain_environment):
    """Return a function that starts a server process and returns it with its port, once it is ready."""
    processes = []

    def launch(*options):
        command = [sys.executable, "-c", "from edge_retrieve.edge_app.cli import main; main()", "serve"]
        command += ["--store", store_path, "--bundle", toy.bundle.path, "--allow-unsigned", "--port", "0"]
        process = subprocess.Popen(
            [*map(str, command), *options],
            env=plain_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        told = []
        for line in process.stderr:
            told.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                port = int(found[1])
                break
        else:
            pytest.fail(f"it ended with {process.wait()}: {''.join(told)}")
        while get(port, "/readyz") != 200:
            time.sleep(0.02)
        return process, port

    yield launch
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def begin_query(port):
    """Send all of a query but its last byte."""
    held = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = "POST /api/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    held.sendall(f"{head}content-length: {len(BODY)}\r\n\r\n".encode() + BODY[:-1])
    return held


def ended(process, seconds):
    _, told = process.communicate(timeout=seconds)
    assert "Traceback" not in told, told
    return process.returncode, told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_has_begun_is_answered_and_nothing_new_is_taken(start, store_path, number):
    process, port = start()
    with begin_query(port) as held:
        time.sleep(0.2)  # it has been read as far as it goes
        process.send_signal(number)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except ConnectionRefusedError:
                break
            time.sleep(0.02)
        else:
            pytest.fail("it goes on listening")
        assert process.poll() is None
        held.sendall(BODY[-1:])
        answer = http.client.HTTPResponse(held)
        answer.begin()
        assert answer.status == 200
        assert len(json.loads(answer.read())["hits"]) == 3
    code, told = ended(process, 20)
    assert code == 0, told
    assert "1 requests have 30 s to finish" in told
    assert told.rstrip().endswith("Ended.")
    # Closed as it should be: SQLite's log is in the database and gone.
    assert not list(store_path.glob("store.sqlite-*"))


def test_a_request_that_does_not_finish_is_cut_off_in_time(start):
    process, port = start("--drain-seconds", "1")
    with begin_query(port):
        time.sleep(0.2)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, told = ended(process, 20)
    assert code == 0, told
    assert 1 <= time.monotonic() - began < 10
    assert "Cancel 1 running task" in told


def test_under_load_every_answer_is_whole(start):
    process, port = start()
    stop, lock = threading.Event(), threading.Lock()
    counts = {"whole": 0, "broken": [], "refused": 0}

    def ask():
        while not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            status = None
            try:
                connection.request("POST", "/api/query", BODY, {"content-type": "application/json"})
                answer = connection.getresponse()
                status = answer.status
                hits = json.loads(answer.read())["hits"]
                with lock:
                    counts["whole" if status == 200 and len(hits) == 3 else "broken"] += 1
            except (OSError, http.client.HTTPException) as error:
                with lock:
                    # Before a first byte of an answer it was not taken; after it, it was cut.
                    counts["refused"] += 1
                    if status is not None:
                        counts["broken"].append(repr(error))
            finally:
                connection.close()

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.7)
        process.send_signal(signal.SIGTERM)
        code, told = ended(process, 25)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert code == 0, told
    assert counts["whole"] > CLIENTS
    assert counts["broken"] == []
    assert counts["refused"] > 0  # the signal came while they asked
