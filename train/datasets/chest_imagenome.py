"""Chest ImaGenome 1.0.0 (PhysioNet): scene graphs with region boxes on MIMIC-CXR.

Silver: ``silver_dataset/scene_graph/<dicom_id>_SceneGraph.json`` for the images of
``silver_dataset/splits/{train,valid,test}.csv``. Gold: 1,000 images boxed by hand, in
``gold_dataset/gold_bbox_coordinate_annotations_1000images.csv``, whose image ids end in ``.dcm``. The
images and reports are those of MIMIC-CXR.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.findings import Assertion
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.datasets.mimic_cxr import ImageFacts, MimicTree
from edge_retrieve.train.datasets.records import RegionStatement, Roots, StudyRecord, is_frontal
from edge_retrieve.train.datasets.region_boxes import RawBox, clean_boxes
from edge_retrieve.train.datasets.tables import DiskIndex, Row, read_json, read_table, require
from edge_retrieve.train.phantom.sampling import Split

DOWNLOAD = "Chest ImaGenome 1.0.0 (physionet.org/content/chest-imagenome)"
SCENE_GRAPHS = "silver_dataset/scene_graph"
SPLITS = "silver_dataset/splits"
GOLD = "gold_dataset/gold_bbox_coordinate_annotations_1000images.csv"

_SPLIT_FILES = {"train.csv": Split.TRAIN, "valid.csv": Split.VAL, "test.csv": Split.TEST}
_REGIONS = {region.value: region for region in Region}
_ASSERTED = {"yes": Assertion.PRESENT, "no": Assertion.ABSENT}
_CORNERS = ("x1", "y1", "x2", "y2")


def read_chest_imagenome(roots: Roots) -> Iterator[StudyRecord]:
    """Yield the silver images with their region boxes and region statements.

    Parameters
    ----------
    roots : Roots
        `images` is MIMIC-CXR-JPG, `reports` the reports of MIMIC-CXR.

    Raises
    ------
    DataSetError
        Where a file is missing or damaged, also one scene graph among the others.
    """
    graphs = require(roots.root, SCENE_GRAPHS, download=f"scene_graph.zip of {DOWNLOAD}")
    tables = []
    for name, split in _SPLIT_FILES.items():
        path = require(roots.root, f"{SPLITS}/{name}", download=DOWNLOAD)
        tables.append((read_table(path, ["subject_id", "study_id", "dicom_id"]), split))
    return _silver(tables, graphs, _tree(roots))


def _tree(roots: Roots) -> MimicTree:
    if roots.images is None:
        raise DataSetError(
            "the folder of MIMIC-CXR-JPG is not named",
            where=str(roots.root),
            remedy="Name it as `images` (--images): the annotations come without images",
        )
    return MimicTree(roots.images, roots.reports)


def _silver(
    tables: list[tuple[Iterator[Row], Split]], graphs: Path, tree: MimicTree
) -> Iterator[StudyRecord]:
    for rows, split in tables:
        for row in rows:
            dicom = row["dicom_id"]
            path = graphs / f"{dicom}_SceneGraph.json"
            if not path.is_file():
                raise DataSetError(
                    "a scene graph that the splits name is missing",
                    where=str(path),
                    remedy=f"Unpack scene_graph.zip of {DOWNLOAD} again",
                )
            graph = read_json(path)
            facts = tree.facts(dicom) or ImageFacts(row["subject_id"], row["study_id"], View.UNKNOWN, None)
            boxes, further = clean_boxes(_graph_boxes(graph, path), facts.size)
            yield StudyRecord(
                image=tree.image(facts.subject, facts.study, dicom),
                image_id=dicom,
                study=facts.study,
                patient=facts.subject,
                view=facts.view,
                frontal=True if facts.view is View.UNKNOWN else is_frontal(facts.view),
                report=tree.report(facts.subject, facts.study),
                split=split,
                boxes=boxes,
                further_boxes=further,
                frame=facts.size,
                statements=tuple(_statements(graph)),
            )


def _graph_boxes(graph: Mapping[str, Any], path: Path) -> Iterator[RawBox]:
    try:
        for entry in graph["objects"]:
            yield RawBox(str(entry["bbox_name"]), _box(entry, prefix="original_"), _box(entry, prefix=""))
    except (KeyError, TypeError, AttributeError) as error:
        raise DataSetError(
            f"the scene graph has no usable objects ({error!r})", where=str(path), remedy=f"Use {DOWNLOAD}"
        ) from error


def _box(entry: Mapping[str, Any], prefix: str) -> Box | None:
    """Return a box of numbers; None where a corner is absent, blank or NaN."""
    try:
        values = [float(entry[prefix + corner]) for corner in _CORNERS]
    except (KeyError, TypeError, ValueError):
        return None
    return Box(*values) if all(map(math.isfinite, values)) else None


def _statements(graph: Mapping[str, Any]) -> Iterator[RegionStatement]:
    """Yield what the graph says of the 29 regions; ``category|yes|name`` a finding."""
    for entry in graph.get("attributes") or ():
        region = _REGIONS.get(str(entry.get("bbox_name", "")).lower())
        if region is None:
            continue
        phrases = entry.get("phrases") or []
        for phrase, attributes in zip(phrases, entry.get("attributes") or [], strict=False):
            for attribute in attributes:
                _, asserted, name = (*str(attribute).split("|"), "", "")[:3]
                if asserted in _ASSERTED:
                    yield RegionStatement(region, " ".join(phrase.split()), name, _ASSERTED[asserted])


def read_chest_imagenome_gold(roots: Roots) -> Iterator[StudyRecord]:
    """Yield the 1,000 images boxed by hand; all are of `Split.TEST`.

    Raises
    ------
    DataSetError
        Where a file is missing or damaged.
    """
    path = require(roots.root, GOLD, download=DOWNLOAD)
    columns = ["bbox_name", *(f"original_{c}" for c in _CORNERS), *_CORNERS]
    rows = read_table(path, ["image_id", *columns[:5]])
    return _gold(DiskIndex.of(rows, "image_id", columns), columns, _tree(roots), path)


def _gold(index: DiskIndex, columns: list[str], tree: MimicTree, path: Path) -> Iterator[StudyRecord]:
    for image_id in index.keys():  # noqa: SIM118 - not a mapping
        dicom = image_id.removesuffix(".dcm")
        facts = tree.facts(dicom)
        if facts is None:
            raise DataSetError(
                f"image {dicom} has no row in the metadata of MIMIC-CXR-JPG",
                where=str(path),
                remedy="Name the folder of the whole MIMIC-CXR-JPG as `images`",
            )
        entries = [dict(zip(columns, cells, strict=True)) for cells in index.all(image_id)]
        raw = [RawBox(entry["bbox_name"], _box(entry, "original_"), _box(entry, "")) for entry in entries]
        boxes, further = clean_boxes(raw, facts.size)
        yield StudyRecord(
            image=tree.image(facts.subject, facts.study, dicom),
            image_id=dicom,
            study=facts.study,
            patient=facts.subject,
            view=facts.view,
            frontal=True if facts.view is View.UNKNOWN else is_frontal(facts.view),
            report=tree.report(facts.subject, facts.study),
            split=Split.TEST,
            boxes=boxes,
            further_boxes=further,
            frame=facts.size,
        )


def held_out_patients(root: Path) -> frozenset[str]:
    """Return the patients no model may be trained on: those of the gold images and of the test split.

    The gold images' patients are listed, with all their other images, in ``images_to_avoid.csv``.

    Raises
    ------
    DataSetError
        Where a table is missing.
    """
    patients: set[str] = set()
    for name in ("images_to_avoid.csv", "test.csv"):
        path = require(root, f"{SPLITS}/{name}", download=DOWNLOAD)
        patients.update(row["subject_id"] for row in read_table(path, ["subject_id"]))
    return frozenset(patients)
