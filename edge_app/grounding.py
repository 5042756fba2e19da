"""Where the sentences of a text are, between the objects of the runtime and their JSON form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_retrieve.edge_app.client.shaping import unreadable
from edge_retrieve.edge_app.shapes import AttributionShape, GroundedSentenceShape, GroundedText, ValuedBox
from edge_retrieve.edge_app.wire import Json, box_edges
from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.grounding.maps import PhraseMap
from edge_retrieve.runtime.grounding.report import Attribution, Ground, GroundedSentence, Grounding
from edge_retrieve.runtime.reports.types import Section


def grounding_shape(grounding: Grounding, region_boxes: Sequence[Box], *, maps: bool) -> GroundedText:
    """Return where the sentences of a text are.

    Parameters
    ----------
    grounding : Grounding
    region_boxes : sequence of 29 Box
        Where the model sees the regions.
    maps : bool
        With the maps' values, to a thousandth.
    """
    return GroundedText(
        width=grounding.width,
        height=grounding.height,
        sentences=[_shape(sentence, maps) for sentence in grounding.sentences],
        region_boxes=[box_edges(box) for box in region_boxes],
    )


def grounding_json(shape: GroundedText, *, maps: bool = False) -> Json:
    """Return the JSON of the command line: without the regions' boxes, and maps only where wanted."""
    document: Json = {"width": shape.width, "height": shape.height, "sentences": []}
    for sentence in shape.sentences:
        row: Json = {
            "text": sentence.text,
            "section": sentence.section,
            "ground": sentence.ground,
            "findings": sentence.findings,
            "regions": sentence.regions,
            "peak": sentence.peak,
            "boxes": [vars(each) for each in sentence.boxes],
            "attribution": [vars(each) for each in sentence.attribution],
        }
        document["sentences"].append(row | ({"map": sentence.map} if maps else {}))
    return document


def grounding_of(shape: GroundedText) -> Grounding:
    """Return where the sentences of a text are, to be written and drawn.

    Raises
    ------
    ShapeError
        Where it has a word that this version does not know.
    """
    try:
        return Grounding(tuple(_sentence(each) for each in shape.sentences), shape.width, shape.height)
    except (ValueError, KeyError) as error:
        raise unreadable("sentences") from error


def _shape(sentence: GroundedSentence, maps: bool) -> GroundedSentenceShape:
    found = sentence.map
    wanted = found.values.tolist() if found is not None and maps else None
    return GroundedSentenceShape(
        text=sentence.text,
        section=sentence.section.value,
        ground=sentence.ground.name.lower(),
        findings=[finding.value for finding in sentence.findings],
        regions=[region.value for region in sentence.regions],
        peak=None if found is None else round(found.peak, 4),
        boxes=[ValuedBox(box_edges(box), round(value, 4)) for box, value in sentence.boxes],
        attribution=[
            AttributionShape(each.region.value, round(each.share, 4), each.named)
            for each in sentence.attribution
        ],
        map=None if wanted is None else [[round(value, 3) for value in row] for row in wanted],
    )


def _sentence(shape: GroundedSentenceShape) -> GroundedSentence:
    found = None
    if shape.map is not None and shape.peak is not None:
        found = PhraseMap(np.asarray(shape.map, dtype=np.float32), shape.peak)
    return GroundedSentence(
        text=shape.text,
        section=Section(shape.section),
        ground=Ground[shape.ground.upper()],
        findings=tuple(Finding(name) for name in shape.findings),
        regions=tuple(Region(name) for name in shape.regions),
        map=found,
        boxes=tuple((Box(*each.box), each.value) for each in shape.boxes),
        attribution=tuple(
            Attribution(Region(each.region), each.share, each.named) for each in shape.attribution
        ),
    )
