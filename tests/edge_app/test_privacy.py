"""Pseudonyms by default, identities where a site wants them, and never both in one store."""

import json

import pytest

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.labels import PHANTOM_MARK
from edge_retrieve.edge_app.privacy import deidentifier_of, holds_identities, prepare_ingest
from edge_retrieve.runtime.deid.key import read_key
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.store import Store
from edge_retrieve.runtime.store.privacy import Identities

TABLE = (
    "file,study,patient,date,report\n"
    "case0.png,ACC-551287,MRN-7718,2021-03-14,FINDINGS: Nodule in the right upper lung zone. Dr. Hagebutt.\n"
    "case1.png,ACC-551288,MRN-7718,2021-03-21,FINDINGS: The lungs are clear.\n"
)


@pytest.fixture
def cases(toy, tmp_path):
    for n in range(2):
        toy.save(tmp_path / "in" / f"case{n}.png", n)
    (tmp_path / "reports.csv").write_text(TABLE)
    return tmp_path / "in"


@pytest.fixture
def ingest(run, toy, cases, tmp_path):
    def ingest(*more, store=None):
        return run(
            "ingest", cases, "--store", store or tmp_path / "store", "--reports", tmp_path / "reports.csv",
            "--bundle", toy.bundle.path, "--allow-unsigned", *more,
        )  # fmt: skip

    return ingest


def patients(path):
    with Store.open(path) as store:
        return {summary.patient for summary in store.studies(limit=9)}


def test_a_new_store_holds_pseudonyms(ingest, tmp_path):
    assert ingest().exit_code == 0
    (patient,) = patients(tmp_path / "store")
    assert patient.startswith("P-")
    with Store.open(tmp_path / "store") as store:
        mark = store.privacy()
        assert mark.identities is Identities.REPLACED
        assert mark.key_check == read_key(tmp_path / "store" / "site" / "site.key").check
        assert not holds_identities(store)


def test_no_other_key_is_made_where_the_one_of_the_pseudonyms_is_missing(ingest, run, toy, tmp_path):
    ingest()
    key = tmp_path / "store" / "site" / "site.key"
    key.unlink()
    refused = ingest()
    assert refused.exit_code == 2
    assert "site.key" in refused.output
    model = ("--bundle", toy.bundle.path, "--allow-unsigned")
    (tmp_path / "out").mkdir()
    toy.save(tmp_path / "asked.png", 0)
    for command in (("query", tmp_path / "asked.png"), ("explain", tmp_path / "asked.png")):
        run(*command, "--store", tmp_path / "store", *model)
    run("user", "add", "reader1", "--store", tmp_path / "store")
    assert not key.exists()


def test_a_site_may_keep_identities_and_need_not_say_so_again(ingest, tmp_path):
    ingest("--keep-identities")
    assert patients(tmp_path / "store") == {"MRN-7718"}
    assert ingest("--json").exit_code == 0
    assert patients(tmp_path / "store") == {"MRN-7718"}
    with Store.open(tmp_path / "store") as store:
        assert holds_identities(store)


def test_identities_do_not_come_beside_pseudonyms(ingest):
    ingest()
    again = ingest("--keep-identities")
    assert again.exit_code == 2
    assert "pseudonyms" in again.output


def test_a_lost_and_a_foreign_key_are_noticed_before_anything_is_stored(ingest, tmp_path):
    ingest()
    key = tmp_path / "store" / "site" / "site.key"
    kept = key.read_text()
    key.unlink()
    lost = ingest()
    assert lost.exit_code == 2
    assert "site.key" in lost.output
    key.write_text("ab" * 32)
    foreign = ingest()
    assert foreign.exit_code == 2
    assert "not the key" in foreign.output
    key.write_text(kept)
    assert ingest().exit_code == 0


def test_stores_of_one_site_share_its_key(ingest, tmp_path):
    ingest("--site", tmp_path / "site", store=tmp_path / "a")
    ingest("--site", tmp_path / "site", store=tmp_path / "b")
    assert patients(tmp_path / "a") == patients(tmp_path / "b")


def test_a_patient_is_deleted_by_the_hospitals_number(ingest, run, tmp_path):
    ingest()
    path = tmp_path / "store"
    one = run("store", "delete", "ACC-551287", "--yes", "--store", path, "--json")
    assert one.exit_code == 0, one.output
    assert len(json.loads(one.stdout)["deleted"]) == 1
    rest = run("store", "delete", "--patient", "MRN-7718", "--yes", "--store", path, "--json")
    assert len(json.loads(rest.stdout)["deleted"]) == 1
    assert patients(path) == set()
    assert run("store", "delete", "--patient", "MRN-7718", "--yes", "--store", path).exit_code == 1


def test_a_patient_is_deleted_by_the_pseudonym(ingest, run, tmp_path):
    ingest()
    (patient,) = patients(tmp_path / "store")
    assert run("store", "delete", "--patient", patient, "--yes", "--store", tmp_path / "store").exit_code == 0
    assert patients(tmp_path / "store") == set()


def test_nothing_is_deleted_that_cannot_be_recorded(ingest, run, tmp_path):
    ingest()
    trail = tmp_path / "store" / "site" / "audit" / "trail-000001.jsonl"
    trail.write_text(trail.read_text() + "garbage\n")
    refused = run("store", "delete", "ACC-551287", "--yes", "--store", tmp_path / "store")
    assert refused.exit_code == 1
    assert "audit" in refused.output
    with Store.open(tmp_path / "store") as store:
        assert store.count() == 2


def test_a_backup_says_whose_identifiers_it_holds_and_has_no_key(ingest, run, tmp_path):
    ingest()
    copy, again = tmp_path / "copy", tmp_path / "again"
    assert run("store", "backup", copy, "--store", tmp_path / "store").exit_code == 0
    assert not list(copy.rglob("site.key"))
    assert run("store", "restore", copy, "--store", again).exit_code == 0
    with Store.open(again) as store:
        assert store.privacy().identities is Identities.REPLACED
        with pytest.raises(ConfigError, match="not here"):
            prepare_ingest(store, Site.of(again), [])
        assert deidentifier_of(store, Site.of(tmp_path / "store")) is not None


def test_a_de_identified_store_is_encoded_anew_from_its_own_pictures(ingest, run, toy, tmp_path):
    ingest()
    with Store.open(tmp_path / "store") as store:
        store._db.execute("UPDATE meta SET value = 'an earlier one' WHERE key = 'bundle_id'")
    told = run(
        "store", "reencode", "--store", tmp_path / "store", "--bundle", toy.bundle.path, "--allow-unsigned",
        "--json",
    )  # fmt: skip
    assert json.loads(told.stdout)["from_previews"] == 2


@pytest.fixture
def empty(toy, tmp_path):
    with Store.open(tmp_path / "empty", bundle=toy.bundle, create=True) as store:
        yield store


def test_phantoms_keep_their_names_and_patients_beside_them_do_not(empty, tmp_path):
    site = Site.of(empty.path)
    phantoms = tmp_path / "phantoms"
    phantoms.mkdir()
    (phantoms / PHANTOM_MARK).touch()
    (phantoms / "P1").mkdir()
    assert prepare_ingest(empty, site, [phantoms, phantoms / "P1" / "P1-1.dcm"]) is None
    assert empty.privacy().identities is Identities.SYNTHETIC
    assert not holds_identities(empty)
    assert prepare_ingest(empty, site, [phantoms, tmp_path]) is not None
    assert empty.privacy().identities is Identities.REPLACED


def test_a_store_of_an_earlier_version_goes_on_as_it_is(store_path, toy, tmp_path):
    import shutil

    copy = shutil.copytree(store_path, tmp_path / "old")
    with Store.open(copy) as store:
        with store._transaction() as db:
            db.execute("DELETE FROM meta WHERE key = 'privacy'")
        assert store.privacy().identities is Identities.UNDECIDED
        assert holds_identities(store)
        assert prepare_ingest(store, Site.of(copy), [tmp_path]) is None
        assert store.privacy().identities is Identities.KEPT
