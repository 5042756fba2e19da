"""Names of cases: the same for the same key, nobody's without it, and the way back."""

import json

import pytest

from edge_retrieve.edge_app.outputs.cases import CaseNames, case_names
from edge_retrieve.runtime.deid.key import SiteKey
from edge_retrieve.runtime.errors import QueryError

ONE, OTHER = CaseNames(SiteKey(bytes(32))), CaseNames(SiteKey(bytes(31) + b"1"))


def test_a_name_depends_on_the_study_and_on_the_key():
    studies = [f"1.2.3.{n}" for n in range(200)]
    names = [ONE.of(study) for study in studies]
    assert len(set(names)) == len(studies)
    assert names == [ONE.of(study) for study in studies]
    assert not set(names) & {OTHER.of(study) for study in studies}
    assert all(len(name) == 12 for name in names)


def test_a_name_leads_back_to_its_study(workspace, tmp_path):
    names = case_names(tmp_path / "key")
    assert case_names(tmp_path / "key") == names
    for each in workspace.store.studies():
        assert names.find(workspace.store, names.of(each.study).upper()) == (each.study,)
    assert names.find(workspace.store, "0" * 12) == ()


@pytest.mark.parametrize("name", ["", "1.2.3", "0" * 11, "g" * 12])
def test_what_is_no_name_is_refused(workspace, name):
    with pytest.raises(QueryError, match="is no name of a case"):
        ONE.find(workspace.store, name)


def test_the_command_finds_a_study_and_says_where_there_is_none(run, store_path, workspace, tmp_path):
    names = case_names(tmp_path / "site" / "site.key")
    key = next(path for path in (tmp_path / "site").iterdir() if path.is_file())
    study = workspace.store.studies()[0].study
    where = ("--store", store_path, "--site", tmp_path / "site")
    told = run("case", names.of(study), *where, "--json")
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout) == {"case": names.of(study), "studies": [study]}
    missing = run("case", "0" * 12, *where)
    assert missing.exit_code == 1
    assert "no study of this archive is named" in missing.stderr
    key.unlink()
    keyless = run("case", names.of(study), *where)
    assert "site's key is not here" in keyless.stderr
