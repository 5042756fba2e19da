"""Where on an image words are: maps of phrases, boxes around them, whole reports sentence by sentence."""

from edge_retrieve.runtime.grounding.boxes import BOX_LEVEL, boxes_of
from edge_retrieve.runtime.grounding.maps import (
    EDGE,
    GRID,
    WINDOWS,
    BoxEncoder,
    PhraseMap,
    phrase_maps,
    region_weights,
)
from edge_retrieve.runtime.grounding.words import findings_named, regions_named

__all__ = [
    "BOX_LEVEL",
    "EDGE",
    "GRID",
    "WINDOWS",
    "BoxEncoder",
    "PhraseMap",
    "boxes_of",
    "findings_named",
    "phrase_maps",
    "region_weights",
    "regions_named",
]
