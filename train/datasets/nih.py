"""NIH ChestX-ray14: the 880 images with boxes drawn by hand.

Layout: ``BBox_List_2017.csv``, ``Data_Entry_2017*.csv``, ``test_list.txt``, and the PNG files below
``images`` or ``images_001/images`` to ``images_012/images``. The box table's header is torn apart by its own
commas, ``Bbox [x,y,w,h]``, with empty cells behind it: its columns are read by place. There are no reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.datasets.records import GroundedPhrase, Roots, StudyRecord, is_frontal
from edge_retrieve.train.datasets.tables import DiskIndex, read_cells, read_table, require
from edge_retrieve.train.phantom.sampling import Split

DOWNLOAD = "ChestX-ray14 (nihcc.app.box.com/v/ChestXray-NIHCC)"
FRAME = (1024, 1024)
"""Width and height of every published image, pixels."""


def read_nih(roots: Roots) -> Iterator[StudyRecord]:
    """Yield the images with boxes.

    Raises
    ------
    DataSetError
        Where a file is missing or damaged.
    """
    path = require(roots.root, "BBox_List_2017*.csv", download=DOWNLOAD)
    entries = require(roots.root, "Data_Entry_2017*.csv", download=DOWNLOAD)
    tested = require(roots.root, "test_list*.txt", download=DOWNLOAD)
    folders = _folders(roots.images or roots.root)
    rows = read_table(entries, ["Image Index", "Finding Labels", "Patient ID", "View Position"])
    facts = DiskIndex.of(rows, "Image Index", ["Patient ID", "View Position", "Finding Labels"])
    held_out = DiskIndex.of_pairs((line.strip(), []) for line in tested.read_text().splitlines())
    return _records(DiskIndex.of_pairs(_boxes(path)), facts, held_out, folders, path)


def _folders(root: Path) -> list[Path]:
    """Return the folders that hold images: one, or the publisher's twelve."""
    found = [root / "images", *sorted(root.glob("images_*/images")), *sorted(root.glob("images_*"))]
    folders = [folder for folder in found if folder.is_dir()]
    if not folders:
        raise DataSetError(
            "there is no folder images or images_001 to images_012",
            where=str(root),
            remedy=f"Download and unpack it: {DOWNLOAD}",
        )
    return folders


def _boxes(path: Path) -> Iterator[tuple[str, list[str]]]:
    cells = read_cells(path)
    header = next(cells, [])
    if header[:2] != ["Image Index", "Finding Label"] or len(header) < 6:
        raise DataSetError(
            f"the header is not that of the box list ({', '.join(header)[:80]})",
            where=str(path),
            remedy=f"Use the file of {DOWNLOAD}",
        )
    for line, row in enumerate(cells, start=2):
        if not any(row):
            continue
        try:
            box = [str(float(cell)) for cell in row[2:6]]
        except ValueError:
            box = []
        if len(box) != 4:
            raise DataSetError(
                "the row has no box of four numbers",
                where=f"{path}, line {line}",
                remedy=f"Use the file of {DOWNLOAD}",
            )
        yield row[0], [row[1], *box]


def _records(
    index: DiskIndex, facts: DiskIndex, held_out: DiskIndex, folders: list[Path], path: Path
) -> Iterator[StudyRecord]:
    for name in index.keys():  # noqa: SIM118 - not a mapping
        grouped: dict[str, list[Box]] = {}
        for label, *cells in index.all(name):
            x, y, w, h = map(float, cells)
            box = Box(x, y, x + w, y + h).clipped(*FRAME)
            if box.area > 0:
                grouped.setdefault(label, []).append(box)
        known = facts.first(name)
        if known is None:
            raise DataSetError(
                f"image {name} has no row in Data_Entry_2017", where=str(path), remedy=f"Use {DOWNLOAD}"
            )
        patient, position, labels = known
        view = View(position) if position in ("PA", "AP") else View.UNKNOWN
        yield StudyRecord(
            image=next((folder / name for folder in folders if (folder / name).is_file()), folders[0] / name),
            image_id=name,
            study=Path(name).stem,
            patient=patient,
            view=view,
            frontal=is_frontal(view),
            split=Split.TEST if held_out.first(name) is not None else Split.TRAIN,
            frame=FRAME,
            phrases=tuple(GroundedPhrase(label, tuple(boxes), label) for label, boxes in grouped.items()),
            labels={
                label: Assertion.PRESENT for label in labels.split("|") if label and label != "No Finding"
            },
        )
