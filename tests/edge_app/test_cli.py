"""The command line as a user meets it: output, messages, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust

ZONE = "right upper lung zone"


def test_help_names_every_command(run):
    result = run("--help")
    assert result.exit_code == 0
    for name in ("demo", "serve", "ingest", "query", "store", "phantom", "train", "eval", "export", "bundle"):
        assert f"\n  {name} " in result.stdout
    assert "Not a medical device" in result.stdout


def test_ingest_accepts_once_and_rejects_with_the_reason(run, toy, archive, tmp_path):
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"this is no image")
    arguments = (
        "ingest",
        archive,
        broken,
        "--store",
        tmp_path / "store",
        "--bundle",
        toy.bundle.path,
        "--allow-unsigned",
        "--json",
    )
    first = run(*arguments)
    assert first.exit_code == 1
    summary = json.loads(first.stdout)
    # A bare PNG does not say its view: kept, with a flag.
    assert (summary["accepted"], summary["flagged"], summary["rejected"], summary["unchanged"]) == (
        0,
        6,
        1,
        0,
    )
    assert [Path(f["path"]).name for f in summary["files"] if f["outcome"] == "rejected"] == ["broken.dcm"]
    assert all(f["reason"] for f in summary["files"])
    assert json.loads(run(*arguments).stdout)["unchanged"] == 6
    stats = json.loads(run("store", "stats", "--store", tmp_path / "store", "--json").stdout)
    assert (stats["studies"], stats["reports"]) == (6, 6)


def test_ingest_says_the_same_to_people(run, toy, archive, tmp_path):
    result = run(
        "ingest", archive, "--store", tmp_path / "store", "--bundle", toy.bundle.path, "--allow-unsigned"
    )
    assert result.exit_code == 0
    assert "0 accepted, 6 flagged, 0 rejected, 0 unchanged." in result.stdout
    assert "unknown view" in result.stdout
    assert "Ingesting" in result.stderr


def test_ingest_of_an_empty_folder_fails(run, toy, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run(
        "ingest",
        tmp_path / "empty",
        "--store",
        tmp_path / "store",
        "--bundle",
        toy.bundle.path,
        "--allow-unsigned",
    )
    assert result.exit_code == 1
    assert "no DICOM, PNG or JPEG" in result.stderr


def test_a_store_that_is_not_there(run, toy, tmp_path):
    result = run(
        "query", "--text", "x", "--store", tmp_path / "none", "--bundle", toy.bundle.path, "--allow-unsigned"
    )
    assert result.exit_code == 1
    assert "there is no store here" in result.stderr
    assert "ingest" in result.stderr


def test_store_check_finds_damage_and_rebuild_mends_it(run, toy, archive, tmp_path):
    store = tmp_path / "store"
    run("ingest", archive, "--store", store, "--bundle", toy.bundle.path, "--allow-unsigned")
    assert json.loads(run("store", "check", "--store", store, "--json").stdout)["sound"] is True
    damaged = max((store / "index").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 0xFF
    damaged.write_bytes(bytes(content))
    result = run("store", "check", "--store", store)
    assert result.exit_code == 1
    assert "damaged" in result.stdout
    assert "store rebuild" in result.stdout
    rebuilt = json.loads(run("store", "rebuild", "--store", store, "--json").stdout)
    assert rebuilt == {"rebuilt": 60, "erased": True}
    assert run("store", "check", "--store", store).exit_code == 0


def test_bundle_show_and_verify(run, toy, tmp_path):
    shown = json.loads(run("bundle", "show", toy.bundle.path, "--json").stdout)
    assert shown["path"] == str(toy.bundle.path)
    assert shown["model_id"] == "toy 1"
    assert len(shown["regions"]) == 29
    assert "training_data: none" in run("bundle", "show", toy.bundle.path).stdout
    assert (
        json.loads(run("bundle", "verify", toy.bundle.path, "--allow-unsigned", "--json").stdout)["verified"]
        is True
    )
    result = run("bundle", "verify", tmp_path / "none")
    assert result.exit_code == 1
    assert "no such bundle" in result.stderr


def test_phantom_writes_an_archive_that_ingest_labels_synthetic(run, toy, archive, tmp_path):
    result = run("phantom", tmp_path / "phantoms", "--studies", 2, "--seed", 1, "--json")
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    assert summary["synthetic"] is True
    assert summary["studies"] == 2
    store = tmp_path / "store"
    assert (
        run(
            "ingest", tmp_path / "phantoms", "--store", store, "--bundle", toy.bundle.path, "--allow-unsigned"
        ).exit_code
        == 0
    )
    with Workspace(store, toy.bundle.path, trust=Trust(allow_unsigned=True)) as workspace:
        assert workspace.label.synthetic
    run("ingest", archive, "--store", store, "--bundle", toy.bundle.path, "--allow-unsigned")
    with Workspace(store, toy.bundle.path, trust=Trust(allow_unsigned=True)) as workspace:
        assert not workspace.label.synthetic
    again = run("phantom", tmp_path / "phantoms", "--studies", 2, "--seed", 1)
    assert again.exit_code == 1
    assert "phantoms" in again.stderr


def test_an_unforeseen_error_is_a_message_too(run, toy, store_path, monkeypatch):
    def fail(*arguments, **options):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("edge_retrieve.runtime.retriever.Retriever.query", fail)
    result = run(
        "query", "--text", "nodule", "--store", store_path, "--bundle", toy.bundle.path, "--allow-unsigned"
    )
    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("torch", ("train", "x.json"), "train"),
        ("torch", ("export", "onnx", "x.pt", "--out", "y"), "export"),
        ("cv2", ("phantom", "out", "--studies", "1", "--seed", "1"), "app"),
        ("uvicorn", ("serve", "--store", "x"), "app"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(package, arguments, extra, plain_environment, tmp_path):
    """In a process of its own where the package cannot be imported."""
    program = (
        "import sys\n"
        f"sys.modules[{package!r}] = None\n"
        "from edge_retrieve.edge_app.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env=plain_environment,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert f"edge-retrieve[{extra}]" in done.stderr
    assert "Traceback" not in done.stderr


def test_eval_reports_scores_a_table_without_a_model(run, tmp_path):
    table = tmp_path / "reports.csv"
    table.write_text(
        "uid,MeSH,findings,impression\n"
        "1,Nodule/lung/upper lobe/right,Nodule in the right upper lobe.,\n"  # agreed
        "2,Pleural Effusion/right,The lungs are clear.,\n"  # missed
    )
    result = run("eval", "reports", table, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["n"] == 2
    for score in ("location", "finding_location"):
        assert report[score]["precision"] == 1.0
        assert 0.0 < report[score]["recall"] < 1.0
    assert "location.precision: 1.0000\n" in run("eval", "reports", table).stdout


def test_eval_reports_names_a_table_it_cannot_read(run, tmp_path):
    (tmp_path / "other.csv").write_text("uid,text\n1,Clear.\n")
    for name in ("other.csv", "absent.csv"):
        result = run("eval", "reports", tmp_path / name)
        assert result.exit_code == 1
        assert name in result.stderr
        assert "Traceback" not in result.output


def test_the_installed_command_runs(plain_environment, toy, store_path):
    command = Path(sys.executable).parent / "edge-retrieve"
    if not command.exists():
        pytest.skip(f"{command} is not installed beside this Python")
    done = subprocess.run(
        [command, "query", "--text", "nodule", "--store", store_path,
         "--bundle", toy.bundle.path, "--allow-unsigned", "--json"],
        capture_output=True, text=True, env=plain_environment, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["hits"]
