from pathlib import Path

import pytest

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.runtime.report_sources import ReportEntry, ReportSource


def table(tmp_path, text, name="reports.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_text(text, encoding=encoding)
    return ReportSource(path)


def test_the_text_beside_an_image(tmp_path):
    (tmp_path / "a.txt").write_text("\n Clear lungs. \n")
    assert ReportSource().for_file(tmp_path / "a.png") == ReportEntry("Clear lungs.")
    assert ReportSource().for_file(tmp_path / "b.png") is None


def test_a_folder_by_stem_then_by_study(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "a.txt").write_text("by stem")
    (tmp_path / "reports" / "1.2.3.txt").write_text("by study")
    source = ReportSource(tmp_path / "reports")
    assert source.for_file(tmp_path / "in" / "a.dcm").text == "by stem"
    assert source.for_study("1.2.3").text == "by study"
    assert source.for_study("4.5.6") is None
    (tmp_path / "secret.txt").write_text("elsewhere")
    assert source.for_study("../secret") is None


def test_a_table_with_findings_and_impression_and_more(tmp_path):
    source = table(
        tmp_path,
        "\ufeffFile, Patient ,View,Sex,Age,Date,Findings,Impression,finding\n"
        'images/a.jpg,P7,AP Supine,female,65.0,2020-01-31,"Nodule, right apex.",Mass?,COVID-19\n'
        "images/b.jpg,,,,,,,Normal.,\n",
    )
    entry = source.for_file(Path("/data/images/a.jpg"))
    assert entry == ReportEntry(
        "FINDINGS: Nodule, right apex.\nIMPRESSION: Mass?",
        *("", "P7", "F", "20200131"),
        View.AP,
        65.0,
    )
    assert source.for_file(Path("/data/images/b.jpg")) == ReportEntry("IMPRESSION: Normal.")


@pytest.mark.parametrize(
    ("named", "path", "found"),
    [
        ("images/a.jpg", "/data/images/a.jpg", True),
        ("a.jpg", "/data/images/a.jpg", True),
        ("a", "/data/images/a.jpg", True),
        ("images\\a.jpg", "/data/images/a.jpg", True),
        ("./images/a.jpg", "/data/images/a.jpg", True),
        ("other/a.jpg", "/data/images/a.jpg", False),
        ("a.png", "/data/images/a.jpg", False),
        ("ta/a", "/data/a.jpg", False),
    ],
)
def test_rows_name_files_by_path_name_or_stem(tmp_path, named, path, found):
    entry = table(tmp_path, f"path,report\n{named},text\n").for_file(Path(path))
    assert (entry is not None) is found


def test_equal_names_are_told_apart_by_their_folders(tmp_path):
    source = table(tmp_path, "file,report\na.jpg,bare\nx/a.jpg,in x\ny/a.jpg,in y\n")
    assert source.for_file(Path("/d/x/a.jpg")).text == "in x"
    assert source.for_file(Path("/d/y/a.jpg")).text == "in y"
    assert source.for_file(Path("/d/z/a.jpg")).text == "bare"


def test_rows_may_name_studies(tmp_path):
    source = table(tmp_path, "study,text\n1.2.3,hello\n")
    assert source.for_study("1.2.3").text == "hello"
    assert source.for_file(Path("/d/1.2.3.dcm")).text == "hello"
    assert source.for_study("1.2") is None


def test_old_encodings_are_read(tmp_path):
    assert table(tmp_path, "file,text\na,Kopf über Maß\n", encoding="latin-1").for_file(
        Path("a.png")
    ).text == ("Kopf über Maß")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,report\na,b\n", "no column that names an image or a study"),
        ("file,finding\na,b\n", r"no column with reports \(it has file, finding\)"),
        ("", "no column that names"),
        ('file,report\na,"open quote\n', "not valid CSV"),
        ("file,report,age\na,b,old\n", "the age 'old' is no number of years"),
        ("file,report,age\na,b,nan\n", "the age 'nan' is no number of years"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        table(tmp_path, text)


def test_what_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"--reports .*nowhere: there is no such file"):
        ReportSource(tmp_path / "nowhere")


def test_short_rows_have_empty_cells(tmp_path):
    source = table(tmp_path, "file,report,patient\na,text\n")
    assert source.for_file(Path("a.png")) == ReportEntry("text")


def test_a_row_without_a_report_leaves_the_text_beside_the_image(tmp_path):
    source = table(tmp_path, "file,view,report\na,PA,\nb,AP,in the table\n")
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text("beside")
    assert source.for_file(tmp_path / "a.png") == ReportEntry("beside", view=View.PA)
    assert source.for_file(tmp_path / "b.png") == ReportEntry("in the table", view=View.AP)
