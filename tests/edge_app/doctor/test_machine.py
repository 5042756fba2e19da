from datetime import datetime
from types import SimpleNamespace

import pytest

from edge_retrieve.edge_app.doctor import machine
from edge_retrieve.edge_app.doctor.check import State, sizes

NOW = datetime(2026, 11, 23, 12, 0)


def free(count):
    return SimpleNamespace(total=1 << 50, used=0, free=count)


@pytest.mark.parametrize(
    ("count", "studies", "held", "state"),
    [
        (100 << 20, 10, 1 << 20, State.FAILED),  # no room for SQLite's log
        (1 << 30, 1000, 2 << 30, State.WARNING),  # no room for a second copy
        (10 << 30, 1000, 1 << 30, State.OK),
        (10 << 30, 0, 0, State.OK),
    ],
)
def test_the_disk_is_compared_with_what_is_held(tmp_path, count, studies, held, state):
    check = machine.disk(tmp_path, studies, held, usage=free(count))
    assert check.state is state, check
    assert bool(check.remedy) == (state is not State.OK)


def test_the_disk_says_how_many_studies_fit(tmp_path):
    told = machine.disk(tmp_path, 1000, 1 << 30, usage=free(10 << 30)).what
    assert "room for about 10,000 more studies" in told


def meminfo(tmp_path, available_kib):
    path = tmp_path / "meminfo"
    path.write_text(f"MemTotal:       {8 << 20} kB\nMemFree: 1 kB\nMemAvailable:   {available_kib} kB\n")
    return path


@pytest.mark.parametrize(
    ("available_kib", "state"),
    [(4 << 20, State.OK), (700 << 10, State.WARNING), (100 << 10, State.FAILED)],
)
def test_memory_that_is_short_is_told(tmp_path, available_kib, state):
    check = machine.memory(meminfo(tmp_path, available_kib), tmp_path)
    assert check.state is state
    assert "of 8.0 GiB available" in check.what


def test_the_limit_of_a_service_counts_where_it_is_less(tmp_path):
    (tmp_path / "memory.max").write_text(f"{1 << 30}\n")
    (tmp_path / "memory.current").write_text(f"{900 << 20}\n")
    check = machine.memory(meminfo(tmp_path, 4 << 20), tmp_path)
    assert (check.state, check.what) == (
        State.FAILED,
        "124.0 MiB available within the limit of 1.0 GiB that is set for this service",
    )
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory(meminfo(tmp_path, 4 << 20), tmp_path).state is State.OK


def test_this_machine_has_memory():
    assert "GiB" in machine.memory().what or "does not tell" in machine.memory().what


@pytest.mark.parametrize(
    ("now", "newest", "written", "state", "told"),
    [
        (NOW, "20261120", datetime(2026, 11, 22), State.OK, "2026-11-23 12:00"),
        (NOW, "", datetime(1970, 1, 2), State.OK, ""),
        (NOW, "unknown", datetime(2026, 1, 1), State.OK, ""),
        (datetime(1970, 1, 1, 0, 5), "", datetime(1970, 1, 1), State.FAILED, "which cannot be"),
        (datetime(2300, 1, 1), "", datetime(2026, 1, 1), State.FAILED, "which cannot be"),
        (NOW, "", datetime(2026, 12, 1), State.FAILED, "the store was written at 2026-12-01"),
        (NOW, "20270101", datetime(2026, 1, 1), State.WARNING, "the newest study is of 2027-01-01"),
        (NOW, "20261124", datetime(2026, 1, 1), State.OK, ""),  # another time zone
    ],
)
def test_the_clock_is_compared_with_what_it_must_be_later_than(now, newest, written, state, told):
    check = machine.clock(newest, written.timestamp(), now)
    assert check.state is state, check
    assert told in check.what


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (2048, "2 KiB"), (3 << 29, "1.5 GiB"), (5 << 40, "5.0 TiB")]
)
def test_sizes_are_written_for_people(count, text):
    assert sizes(count) == text
