"""The command `ingest`, repeated: what it leaves alone, and what `--again` brings in."""

import json
import os

import pytest

LONG_AGO = 1_700_000_000  # seconds


@pytest.fixture
def take_in(toy, run, tmp_path):
    """Return a function that ingests two old images into a store and returns what is told."""
    for n in range(2):
        path = toy.save(tmp_path / "in" / f"{n}.png", n)
        os.utime(path, (LONG_AGO, LONG_AGO))

    def call(*options):
        places = ("--store", tmp_path / "store", "--bundle", toy.bundle.path, "--allow-unsigned")
        result = run("ingest", tmp_path / "in", *places, "--json", *options)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return call


def test_a_deleted_study_stays_away_until_it_is_asked_for(take_in, run, tmp_path):
    assert take_in()["flagged"] == 2
    assert take_in()["unchanged"] == 2
    listed = json.loads(run("studies", "--store", tmp_path / "store", "--json").stdout)
    gone = listed["studies"][0]["study"]
    assert run("store", "delete", gone, "--yes", "--store", tmp_path / "store").exit_code == 0
    told = take_in()
    assert told["unchanged"] == 2
    assert sum("--again" in file["reason"] for file in told["files"]) == 1
    told = take_in("--again")
    assert (told["flagged"], told["unchanged"]) == (1, 1)
    assert take_in()["unchanged"] == 2
