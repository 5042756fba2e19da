"""Cases take turns, in orders of their own, and their times are those that passed."""

import time
from collections import Counter

import pytest

from edge_retrieve.runtime.timing import take_turns


def test_every_case_runs_once_a_round_in_changing_order():
    calls: list[str] = []
    names = ("a", "b", "c")
    told: list[tuple[int, int]] = []
    taken = take_turns(
        {name: lambda name=name: calls.append(name) for name in names},
        8,
        advance=lambda *done: told.append(done),
    )
    rounds = [tuple(calls[start : start + 3]) for start in range(0, len(calls), 3)]
    assert len(rounds) == 10  # two of them unmeasured
    assert all(sorted(each) == sorted(names) for each in rounds)
    assert len(Counter(rounds)) > 2
    assert list(taken) == list(names)
    assert all(timing.runs == 8 for timing in taken.values())
    assert told == [(done, 10) for done in range(1, 11)]


def test_what_comes_before_a_case_is_not_timed_with_it():
    before = {"a": lambda: time.sleep(0.02)}
    taken = take_turns({"a": lambda: None, "b": lambda: None}, 5, before=before)
    assert taken["a"].p50_ms < 10


def test_the_clock_counts_sleep_and_the_processor_does_not():
    def busy():
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass

    taken = take_turns({"sleeps": lambda: time.sleep(0.02), "works": busy}, 5)
    assert taken["sleeps"].p50_ms >= 20
    assert taken["sleeps"].cpu_ms < 10
    assert taken["works"].cpu_ms == pytest.approx(20, abs=10)
    assert taken["works"].p50_ms >= 19.9
    assert all(timing.p99_ms >= timing.p50_ms for timing in taken.values())
