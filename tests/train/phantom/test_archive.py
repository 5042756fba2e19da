"""Archives on disk: readable DICOM, truth that survives a round trip, equal files from any worker count."""

import hashlib
import shutil
import subprocess

import numpy as np
import pydicom
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Box
from edge_retrieve.runtime.errors import ArchiveError, ConfigError
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.runtime.reports import parse_report
from edge_retrieve.train.phantom.archive import write_archive
from edge_retrieve.train.phantom.sampling import Split
from edge_retrieve.train.phantom.spec import PhantomImage, PlacedFinding, implied_regions
from edge_retrieve.train.phantom.truth import EncodedMask, read_truth


def fake_render(spec, size):
    """Return an image whose pixels depend on the study and whose lesions are squares."""
    rng = np.random.default_rng(spec.study_seed)
    pixels = rng.integers(0, 4096, (size, size)).astype(np.uint16)
    findings = []
    for number, lesion in enumerate(spec.lesions):
        mask = np.zeros((size, size), dtype=bool)
        mask[10 * number : 10 * number + 5, 20:27] = True
        box = Box(20, 10 * number, 27, 10 * number + 5)
        findings.append(PlacedFinding(lesion, implied_regions(lesion.finding, lesion.region), box, mask))
    boxes = {region: Box(1.5, 2.25, 30, 40 + region.position) for region in REGIONS}
    lungs = np.zeros((2, size, size), dtype=bool)
    return PhantomImage(pixels, 2048.0, 3000.5, boxes, tuple(findings), spec.view, "F", 61, lungs)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantom") / "archive"
    seen = []
    summary = write_archive(
        out, 24, 9, size=64, workers=1, render=fake_render, progress=lambda *count: seen.append(count)
    )
    assert seen == [(done, 24) for done in range(1, 25)]
    assert summary.studies == 24
    assert sum(summary.splits.values()) == 24
    return out


def test_truth_and_files_agree(archive):
    studies = read_truth(archive)
    assert len(studies) == 24
    expected = {"truth.jsonl"} | {x.dicom_name for x in studies} | {x.report_name for x in studies}
    assert set(digests(archive)) == expected
    for truth in studies:
        image = fake_render(truth.spec, 64)
        assert dict(truth.boxes) == dict(image.boxes)
        for found, placed in zip(truth.lesions, image.findings, strict=True):
            assert found.lesion == placed.lesion
            assert found.box == placed.box
            assert np.array_equal(found.mask.to_mask(), placed.mask)
        report = (archive / truth.report_name).read_text()
        assert parse_report(report).present_findings() == {x.lesion.finding for x in truth.lesions}


def test_dicom_holds_the_pixels_and_says_how_to_show_them(archive):
    syntaxes = set()
    for truth in read_truth(archive):
        dataset = pydicom.dcmread(archive / truth.dicom_name)
        syntaxes.add(dataset.file_meta.TransferSyntaxUID.name)
        assert np.array_equal(dataset.pixel_array, fake_render(truth.spec, 64).pixels)
        assert dataset.ViewPosition == truth.view.value
        assert dataset.PatientID == truth.patient
        assert float(dataset.WindowWidth) == 3000.5
        assert dataset.PatientOrientation == ["L", "F"]
        age = int(dataset.PatientAge[:3])
        assert 61 <= age <= 61 + 2 * (truth.visit + 1)
    assert len(syntaxes) == 2


def test_visits_follow_one_another(archive):
    dates = {}
    for truth in read_truth(archive):
        dataset = pydicom.dcmread(archive / truth.dicom_name, stop_before_pixels=True)
        dates.setdefault((truth.patient, str(dataset.PatientBirthDate)), []).append(dataset.StudyDate)
    assert len(dates) == len({patient for patient, _ in dates})
    assert all(days == sorted(set(days)) for days in dates.values())


def test_identifiers_are_unique(archive):
    headers = [
        pydicom.dcmread(archive / truth.dicom_name, stop_before_pixels=True) for truth in read_truth(archive)
    ]
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        assert len({header[name].value for header in headers}) == len(headers)
        assert all(header[name].value.is_valid for header in headers)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_error(archive):
    views = set()
    for truth in read_truth(archive)[:10]:
        views.add(truth.view)
        done = subprocess.run(
            ["dciodvfy", str(archive / truth.dicom_name)], capture_output=True, text=True, check=False
        )
        assert "DX" in done.stderr + done.stdout
        assert "Error" not in done.stderr + done.stdout
    assert views == {View.PA, View.AP}


def test_equal_seeds_write_equal_files_whatever_the_number_of_processes(tmp_path):
    pytest.importorskip("cv2")
    write_archive(tmp_path / "one", 5, 4, size=128, workers=1)
    write_archive(tmp_path / "two", 5, 4, size=128, workers=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    write_archive(tmp_path / "other", 5, 5, size=128, workers=1)
    assert not set(digests(tmp_path / "other").values()) & set(digests(tmp_path / "one").values())


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArchiveError, match=r"not empty.*notes\.txt.*new folder"):
        write_archive(tmp_path, 2, 1, size=64, render=fake_render, workers=1)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="cannot be made"):
        write_archive(tmp_path / "file", 2, 1, size=64, render=fake_render, workers=1)


def test_no_processes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="workers"):
        write_archive(tmp_path / "a", 2, 1, render=fake_render, workers=0)


def test_a_test_archive_is_written_with_the_paraphrases_kept_for_it(tmp_path):
    write_archive(tmp_path / "a", 12, 1, split=Split.TEST, size=64, render=fake_render, workers=1)
    assert {truth.split for truth in read_truth(tmp_path / "a")} == {Split.TEST}
    everything = " ".join(path.read_text() for path in (tmp_path / "a").rglob("*.txt"))
    assert "The lungs are clear." not in everything


@pytest.mark.parametrize(
    "content", ["{", '{"study": "a"}', "[]", '{"study":"a","lesions":[{"finding":"flu"}]}']
)
def test_a_damaged_truth_file_is_named(tmp_path, content):
    (tmp_path / "truth.jsonl").write_text(content + "\n")
    with pytest.raises(ArchiveError, match="line 1 is no study"):
        read_truth(tmp_path)


def test_a_missing_truth_file_is_named(tmp_path):
    with pytest.raises(ArchiveError, match="cannot be read"):
        read_truth(tmp_path)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 64)])
def test_masks_survive_run_length_encoding(shape):
    rng = np.random.default_rng(0)
    for share in (0.0, 0.3, 1.0):
        mask = rng.random(shape) < share
        encoded = EncodedMask.from_mask(mask)
        assert np.array_equal(encoded.to_mask(), mask)
        # COCO: column-major, background first.
        flat = mask.ravel(order="F")
        assert sum(encoded.counts) == flat.size
        assert sum(encoded.counts[1::2]) == flat.sum()
