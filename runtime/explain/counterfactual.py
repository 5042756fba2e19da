"""What would be found if a region looked otherwise: blanked, or mirrored.

Evidence that does not change when the region is emptied does not rest on the region (occlusion: Zeiler and
Fergus, ECCV 2014, section 4.2). Each blank region, and the mirrored image, costs an encoding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.encoder import Encoder, ImageEncoding
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.explain.evidence import Evidence, PlaceEvidence
from edge_retrieve.runtime.explain.explainer import Explainer
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.types import FloatImage, Radiograph
from edge_retrieve.runtime.query import Query


class Alteration(str, Enum):
    """What is done to the image."""

    BLANKED = "blanked"
    MIRRORED = "mirrored"


@dataclass(frozen=True)
class Change:
    """What an alteration changes in one region.

    Parameters
    ----------
    region : Region
    kind : Alteration
    before, after : Finding or None
        The finding with the strongest vote that counts as present; None where there is none.
    probability_before, probability_after : float or None
        Of the finding before; None where it is not known or no neighbour states it any more.
    lost, come : tuple of str
        Neighbours that are none any more, and new ones.
    compared : int
        Neighbours before.
    """

    region: Region
    kind: Alteration
    before: Finding | None
    after: Finding | None
    probability_before: float | None
    probability_after: float | None
    lost: tuple[str, ...]
    come: tuple[str, ...]
    compared: int


def counterfactuals(
    explainer: Explainer,
    encoder: Encoder,
    query: Query,
    radiograph: Radiograph,
    evidence: Evidence,
    kinds: tuple[Alteration, ...] = tuple(Alteration),
) -> tuple[Change, ...]:
    """Alter each region of the evidence that something is stated of, or that was asked for, and ask again.

    Parameters
    ----------
    explainer : Explainer
    encoder : Encoder
    query : Query
        That the evidence is of, with an image.
    radiograph : Radiograph
        The query's image, with its pixels.
    evidence : Evidence
    kinds : tuple of Alteration

    Raises
    ------
    QueryError
        Where the query has no image.
    """
    if query.image is None:
        raise QueryError(
            "only an image can be altered", remedy="Give an image, or leave the counterfactual out"
        )
    changes = []
    mirrored: ImageEncoding | None = None  # the same for every region
    for place in evidence.places:
        region = place.region
        if region is None or place.box is None or (evidence.survey and not place.stated):
            continue
        for kind in kinds:
            encoding = mirrored if kind is Alteration.MIRRORED else None
            if encoding is None:
                encoding = encoder.encode_image(altered(radiograph.pixels, place.box, kind))
            if kind is Alteration.MIRRORED:
                mirrored = encoding
            again = explainer.explain(
                replace(query, regions=(region,), boxes=(), weights=()),
                encoding=encoding,
                radiograph=radiograph,
            )
            changes.append(_change(region, kind, place, again.places[0]))
    return tuple(changes)


def altered(pixels: FloatImage, box: Box, kind: Alteration) -> FloatImage:
    """Return an image of which a box is black, or which is mirrored as a whole.

    Black removes best what the model sees there: of 41 lesions that it sees on validation phantoms
    (synthetic) 88 % fall below the level of grounding; with the box filled from its edges 66 %, with the mean
    grey 59 %, with the other side's content 51 %. It also makes the fewest other findings appear.

    Parameters
    ----------
    pixels : float32 array of shape [H, W]
    box : Box
        Pixels; every pixel that it touches.
    kind : Alteration

    Returns
    -------
    float32 array of shape [H, W]
    """
    if kind is Alteration.MIRRORED:
        return np.asarray(np.ascontiguousarray(pixels[:, ::-1]), dtype=np.float32)
    height, width = pixels.shape
    inside = box.clipped(width, height)
    blank: FloatImage = np.array(pixels, dtype=np.float32)
    if inside.area > 0:
        rows = slice(int(np.floor(inside.y1)), int(np.ceil(inside.y2)))
        blank[rows, int(np.floor(inside.x1)) : int(np.ceil(inside.x2))] = 0.0
    return blank


def _change(region: Region, kind: Alteration, before: PlaceEvidence, after: PlaceEvidence) -> Change:
    old, new = ([each.study for each in place.neighbours] for place in (before, after))
    first = before.votes[0] if before.votes else None
    again = None if first is None else after.vote(first.finding)
    return Change(
        region=region,
        kind=kind,
        before=before.stated[0].finding if before.stated else None,
        after=after.stated[0].finding if after.stated else None,
        probability_before=None if first is None else first.probability,
        probability_after=None if again is None else again.probability,
        lost=tuple(study for study in old if study not in new),
        come=tuple(study for study in new if study not in old),
        compared=len(old),
    )
