"""Tables and lookups: memory does not grow with the data set."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.train.datasets.tables import DiskIndex, open_text, read_table, require

RECORDS = 20_000
MEASURE = """
import resource, sys
from pathlib import Path
from edge_retrieve.train.datasets.mimic_cxr import read_mimic_cxr
from edge_retrieve.train.datasets.records import Roots

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

before = resident()
most = count = 0
for count, record in enumerate(read_mimic_cxr(Roots(Path(sys.argv[1]))), start=1):
    if count % 1000 == 0:
        most = max(most, resident())
print(count, most - before)
"""


def test_20_000_records_stream_in_50_mb(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    split = ["dicom_id,study_id,subject_id,split\n"]
    facts = ["dicom_id,subject_id,study_id,ViewPosition,Rows,Columns\n"]
    labels = ["subject_id,study_id,Atelectasis,Edema\n"]
    for n in range(RECORDS):
        subject, study = f"{10000000 + n // 3}", f"{50000000 + n}"
        split.append(f"{n:08x}-0000-0000-{n:044d},{study},{subject},train\n")
        facts.append(f"{n:08x}-0000-0000-{n:044d},{subject},{study},PA,3056,2544\n")
        labels.append(f"{subject},{study},1.0,\n")
    for name, lines in (("split", split), ("metadata", facts), ("chexpert", labels)):
        (tmp_path / f"mimic-cxr-2.0.0-{name}.csv.gz").write_bytes(gzip.compress("".join(lines).encode(), 1))
    del split, facts, labels
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    count, grown = map(int, done.stdout.split())
    assert count == RECORDS
    assert 0 < grown < 50e6


def test_an_index_keeps_the_order_of_its_table() -> None:
    pairs = [("b", ["1", "x"]), ("a", ["2", "y"]), ("b", ["3", "z"])]
    index = DiskIndex.of_pairs(iter(pairs))
    assert index.all("b") == [("1", "x"), ("3", "z")]
    assert index.first("b") == ("1", "x")
    assert index.first("c") is None
    assert list(index.keys()) == ["a", "b"]


def test_a_mark_a_short_row_and_a_quoted_line_break_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfid,text\r\n1,"two\nlines"\r\n2\r\n')
    assert list(read_table(path, ["id", "text"])) == [
        {"id": "1", "text": "two\nlines"},
        {"id": "2", "text": ""},
    ]
    with open_text(path) as stream:
        assert stream.read(2) == "id"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"id\n\xff\xfe\n")
    with pytest.raises(DataSetError, match=r"t\.csv: the file cannot be read"):
        list(read_table(tmp_path / "t.csv", ["id"]))
    with pytest.raises(DataSetError, match="no such folder"):
        require(tmp_path / "gone", "t.csv", download="the set")
    with pytest.raises(DataSetError, match="Download and unpack it: the set"):
        require(tmp_path, "u.csv", download="the set")
