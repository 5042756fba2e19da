"""Logs tell where something went wrong, and of nobody."""

import logging
import threading

import pytest

from edge_retrieve.edge_app.logs import DiscreetFormatter, discreet_traceback, use_discreet_logs

SECRET = "Zwetschgenbaum^Quirinius"


def fall():
    try:
        {}[SECRET]
    except KeyError as error:
        raise ValueError(f"about {SECRET}") from error


@pytest.fixture
def error():
    with pytest.raises(ValueError, match="about") as caught:
        fall()
    caught.value.add_note(SECRET)
    return caught.value


def test_an_exception_is_told_by_type_and_place(error):
    told = discreet_traceback(error)
    assert SECRET not in told
    assert "ValueError" in told
    assert "KeyError" in told
    assert "in fall" in told
    assert "test_logs.py" in told


def test_a_loop_of_causes_ends(error):
    error.__cause__.__context__ = error
    assert discreet_traceback(error).count("ValueError") == 1


def test_a_record_with_an_exception_names_nobody(error):
    record = logging.LogRecord("edge_retrieve", logging.ERROR, "f", 1, "a request failed", (), None)
    record.exc_info = (type(error), error, error.__traceback__)
    line = DiscreetFormatter("%(message)s").format(record)
    assert line.startswith("a request failed\n")
    assert SECRET not in line


@pytest.fixture
def logs():
    root = logging.getLogger()
    before = root.handlers[:], root.level, threading.excepthook, logging.raiseExceptions
    yield use_discreet_logs
    root.handlers[:], threading.excepthook = before[0], before[2]
    root.setLevel(before[1])
    logging.raiseExceptions = before[3]


def test_other_libraries_are_not_heard(logs, capsys):
    logs()
    logging.getLogger("pydicom").warning("a value: %s", SECRET)
    logging.getLogger("edge_retrieve.edge_app").warning("heard")
    logging.getLogger("uvicorn.error").error("heard, too")
    written = capsys.readouterr().err
    assert SECRET not in written
    assert "edge_retrieve.edge_app: heard" in written
    assert "uvicorn.error: heard, too" in written


def test_a_thread_that_ends_in_an_exception_names_nobody(logs, capsys):
    logs()
    thread = threading.Thread(target=fall, name="worker")
    thread.start()
    thread.join()
    written = capsys.readouterr().err
    assert "the thread worker ended" in written
    assert "ValueError" in written
    assert SECRET not in written
