"""MS-CXR (PhysioNet): phrases and their boxes on images of MIMIC-CXR.

Release 1.1.0 is a CSV file, one row a box; 1.0.0 a COCO file, one annotation a box. A phrase with several
boxes has several rows: they are grouped by image and text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.datasets.mimic_cxr import SPLITS, MimicTree
from edge_retrieve.train.datasets.records import GroundedPhrase, Roots, StudyRecord, is_frontal
from edge_retrieve.train.datasets.tables import DiskIndex, number, read_json, read_table, require

DOWNLOAD = "MS-CXR (physionet.org/content/ms-cxr)"
TABLES = ("MS_CXR_Local_Alignment_v1.*.csv", "MS_CXR_Local_Alignment_v1.*.json")

_COLUMNS = (
    "path", "label_text", "category_name", "x", "y", "w", "h", "image_width", "image_height", "split",
)  # fmt: skip


def read_ms_cxr(roots: Roots) -> Iterator[StudyRecord]:
    """Yield the annotated images, each with its phrases.

    Parameters
    ----------
    roots : Roots
        `root` holds the annotation file, `images` is MIMIC-CXR-JPG.

    Raises
    ------
    DataSetError
        Where a file is missing or damaged.
    """
    path = require(roots.root, *TABLES, download=DOWNLOAD)
    if roots.images is None:
        raise DataSetError(
            "the folder of MIMIC-CXR-JPG is not named",
            where=str(roots.root),
            remedy="Name it as `images` (--images): the annotations come without images",
        )
    tree = MimicTree(roots.images, roots.reports)
    return _records(DiskIndex.of_pairs(_boxes(path)), tree, path)


def held_out_patients(root: Path) -> frozenset[str]:
    """Return the patients of the annotated images, which no model may be trained on.

    Raises
    ------
    DataSetError
        Where the annotation file is missing.
    """
    path = require(root, *TABLES, download=DOWNLOAD)
    return frozenset(_identify(image, path)[0] for image, _ in _boxes(path))


def _boxes(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the image of every box with the cells of `_COLUMNS` after it."""
    if path.suffix == ".csv":
        needed = [name for name in _COLUMNS if name != "split"]
        for row in read_table(path, needed):
            yield row["path"], [row.get(name) or "" for name in _COLUMNS[1:]]
        return
    content = read_json(path)
    try:
        images = {image["id"]: image for image in content["images"]}
        names = {category["id"]: category["name"] for category in content["categories"]}
        for entry in content["annotations"]:
            image = images[entry["image_id"]]
            cells = [entry["label_text"], names[entry["category_id"]], *entry["bbox"]]
            size = [image["width"], image["height"], image.get("split", "")]
            yield str(image["path"]), [str(cell) for cell in (*cells, *size)]
    except (KeyError, TypeError) as error:
        raise DataSetError(
            f"the COCO file misses {error}", where=str(path), remedy=f"Use the file of {DOWNLOAD}"
        ) from error


def _identify(image: str, path: Path) -> tuple[str, str, str]:
    """Return subject, study and image id from ``files/p10/p10000032/s50414267/<dicom_id>.jpg``."""
    parts = PurePosixPath(image).parts
    if len(parts) < 3 or not parts[-2].startswith("s") or not parts[-3].startswith("p"):
        raise DataSetError(f"'{image}' is no path of MIMIC-CXR", where=str(path), remedy=f"Use {DOWNLOAD}")
    return parts[-3][1:], parts[-2][1:], PurePosixPath(image).stem


def _records(index: DiskIndex, tree: MimicTree, path: Path) -> Iterator[StudyRecord]:
    for image in index.keys():  # noqa: SIM118 - not a mapping
        subject, study, dicom = _identify(image, path)
        grouped: dict[str, tuple[str, list[Box]]] = {}
        frame: tuple[int, int] | None = None
        split = ""
        for cells in index.all(image):
            row = dict(zip(_COLUMNS[1:], cells, strict=True))
            x, y, w, h = (number(row, name, path) for name in ("x", "y", "w", "h"))
            frame = (int(number(row, "image_width", path)), int(number(row, "image_height", path)))
            split = row["split"]
            box = Box(x, y, x + w, y + h).clipped(*frame)
            boxes = grouped.setdefault(row["label_text"], (row["category_name"], []))[1]
            if box.area > 0 and box not in boxes:
                boxes.append(box)
        facts = tree.facts(dicom)
        view = facts.view if facts else View.UNKNOWN
        yield StudyRecord(
            image=tree.image(subject, study, dicom),
            image_id=dicom,
            study=study,
            patient=subject,
            view=view,
            # Only frontal images were annotated.
            frontal=True if view is View.UNKNOWN else is_frontal(view),
            report=tree.report(subject, study),
            split=SPLITS.get(split),
            frame=frame,
            phrases=tuple(
                GroundedPhrase(text, tuple(boxes), category) for text, (category, boxes) in grouped.items()
            ),
        )
