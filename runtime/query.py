"""What a person asks the archive."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.bundle import FusionWeights
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.filters import Filters
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.preprocess.types import Flag, Radiograph


class Combine(str, Enum):
    """How the scores in several places make one: their weighted mean, the best, or the worst of them."""

    WEIGHTED = "weighted"
    ANY = "any"
    ALL = "all"


BOTH = (Modality.IMAGE, Modality.TEXT)


@dataclass(frozen=True)
class Query:
    """A question to the archive: an image, a text, or both, with or without a place.

    Parameters
    ----------
    image : Path, optional
        The X-ray file.
    text : str, optional
        Report text or a phrase.
    regions : tuple of Region
        The suspicious regions; empty with no `boxes` means unconditioned.
    boxes : tuple of Box
        Boxes drawn by a person, in pixels of the image as displayed. Need an image.
    k : int
        Number of hits wanted.
    offset : int
        Hits to pass over first: the pages before this one.
    combine : Combine
        What makes one score of several places.
    weights : tuple of float
        One for each of `regions`, then one for each of `boxes`; equal where empty. For a weighted mean.
    sides : tuple of Modality
        Which sides of the archive are searched.
    fusion : FusionWeights, optional
        In place of the bundle's.
    filters : Filters
    same_patient : bool
        Whether other studies of the query's own patient may be hits.
    one_per_patient : bool
        Whether only the best study of each patient is a hit.
    min_score : float, optional
        No hit scores less.
    """

    image: Path | None = None
    text: str | None = None
    regions: tuple[Region, ...] = ()
    boxes: tuple[Box, ...] = ()
    k: int = 10
    offset: int = 0
    combine: Combine = Combine.WEIGHTED
    weights: tuple[float, ...] = ()
    sides: tuple[Modality, ...] = BOTH
    fusion: FusionWeights | None = None
    filters: Filters = field(default_factory=Filters)
    same_patient: bool = False
    one_per_patient: bool = False
    min_score: float | None = None

    def check(self) -> None:
        """Refuse what no archive can answer; what depends on the image is checked with it.

        Raises
        ------
        QueryError
            Where a number is out of bounds, the text is empty or not valid Unicode, or the weights do not
            fit the places.
        """
        if self.k < 1:
            raise QueryError(f"k is {self.k}", remedy="Ask for at least one hit")
        if self.offset < 0:
            raise QueryError(f"the offset is {self.offset}", remedy="Count the hits to pass over from 0")
        if not self.sides:
            raise QueryError("no side of the archive is searched", remedy="Search images, reports, or both")
        if self.text is not None and not self.text.strip():
            raise QueryError("the text is empty", remedy="Write a phrase, or leave the text out")
        if self.text is not None and any("\ud800" <= letter <= "\udfff" for letter in self.text):
            # As a terminal of another coding, or JSON, may give it: halves of surrogate pairs.
            raise QueryError("the text is not valid Unicode", remedy="Write it in UTF-8")
        if self.min_score is not None and not -1 <= self.min_score <= 1:
            raise QueryError(f"the least score is {self.min_score:g}", remedy="Give a number from -1 to 1")
        self._check_weights()

    def _check_weights(self) -> None:
        places = len(self.regions) + len(self.boxes)
        if not self.weights:
            return
        if len(self.weights) != places:
            raise QueryError(
                f"there are {len(self.weights)} weights for {places} regions and boxes",
                remedy="Give one for each, or none",
            )
        if self.combine is not Combine.WEIGHTED:
            raise QueryError(
                f"weights mean nothing where '{self.combine.value}' of the places counts",
                remedy="Leave them out, or combine by weight",
            )
        if not all(math.isfinite(weight) and weight > 0 for weight in self.weights):
            raise QueryError(
                "a weight is not above zero, or not finite", remedy="Leave out a place that does not count"
            )


def require_frontal(radiograph: Radiograph, where: str) -> None:
    """Refuse to ask with a lateral view: the regions are those of a frontal one.

    Parameters
    ----------
    radiograph : Radiograph
        Of the query.
    where : str
        The file or field it came in, for the error.

    Raises
    ------
    QueryError
        Where it is a lateral view.
    """
    if Flag.LATERAL_VIEW in radiograph.flags:
        raise QueryError(
            "the query image is a lateral view", where=where, remedy="Ask with a frontal (PA or AP) image"
        )
