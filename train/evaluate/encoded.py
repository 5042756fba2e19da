"""An archive as embeddings and truth: all that retrieval figures are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.encoder import FloatArray, ImageEncoding, PreparedImage

WHOLE = -1  # in `EncodedArchive.queries`: the query names no region


class StudyEncoder(Protocol):
    """What evaluation needs of a model.

    `runtime.encoder.Encoder` is one (a bundle), `train.evaluate.torch_encoder.TorchEncoder` another.
    """

    @property
    def bundle_id(self) -> str:
        """What the model is told by: embeddings of different ones never meet."""

    @property
    def image_size(self) -> int:
        """Side of the model's square, pixels."""

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""

    def encode_prepared(self, images: Sequence[PreparedImage]) -> list[ImageEncoding]:
        """Encode images already brought to the model's square."""

    def encode_boxes(self, encoding: ImageEncoding, boxes: Sequence[Box]) -> FloatArray:
        """Return unit embeddings [R, D] of boxes in source pixels."""

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return unit embeddings [B, D] of texts, none of them blank."""


@dataclass(frozen=True)
class EncodedArchive:
    """Everything encoded; row n of each array is study n.

    Parameters
    ----------
    patients : int64 array of shape [N]
    truth : bool array of shape [N, 29, L]
        Findings present in each region.
    anywhere : bool array of shape [N, L]
        Findings present in the study, also those of no known place.
    aside : bool array of shape [N, 29, L]
        Studies of which nobody can tell whether they have the finding there: no candidates for it.
    queries : int64 array of shape [Q, 3]
        Study, region (or `WHOLE`) and finding of each query.
    has_image : bool array of shape [N]
    regions : float32 array of shape [N, 29, D]
    whole : float32 array of shape [N, D]
    has_text : bool array of shape [N, 29]
    region_texts : float32 array of shape [N, 29, D]
        Zero where the report says nothing of the region.
    has_report : bool array of shape [N]
    reports : float32 array of shape [N, D]
        Whole reports; zero where there is none.
    prior_regions : float32 array of shape [N, 29, D], or [0, 29, D] where not computed
        As `regions`, with boxes of the average position in place of those found.
    said : tuple of tuple of str
        Per study the words behind `region_texts`, 29 each; empty where silent.
    written : tuple of str
        The reports.
    """

    patients: npt.NDArray[np.int64]
    truth: npt.NDArray[np.bool_]
    anywhere: npt.NDArray[np.bool_]
    aside: npt.NDArray[np.bool_]
    queries: npt.NDArray[np.int64]
    has_image: npt.NDArray[np.bool_]
    regions: FloatArray
    whole: FloatArray
    has_text: npt.NDArray[np.bool_]
    region_texts: FloatArray
    has_report: npt.NDArray[np.bool_]
    reports: FloatArray
    prior_regions: FloatArray
    said: tuple[tuple[str, ...], ...]
    written: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.patients)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the fields that are arrays, by name."""
        named = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}


def sample_queries(
    truth: npt.NDArray[np.bool_],
    unplaced: npt.NDArray[np.bool_],
    patients: npt.NDArray[np.int64],
    least: int,
) -> npt.NDArray[np.int64]:
    """Return every (study, region, finding) with at least `least` relevant studies of other patients.

    Parameters
    ----------
    truth : bool array of shape [N, 29, L]
    unplaced : bool array of shape [N, L]
        Findings to ask for without a region.
    patients : int64 array of shape [N]
    least : int

    Returns
    -------
    int64 array of shape [Q, 3]
        By study; the region is `WHOLE` for findings of `unplaced`.
    """
    anywhere = unplaced | truth.any(axis=1)
    placed = [(int(study), int(region), int(finding)) for study, region, finding in np.argwhere(truth)]
    whole = [(int(study), WHOLE, int(finding)) for study, finding in np.argwhere(unplaced)]
    rows = []
    for study, region, finding in sorted(placed + whole):
        present = anywhere[:, finding] if region == WHOLE else truth[:, region, finding]
        if (present & (patients != patients[study])).sum() >= least:
            rows.append((study, region, finding))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)
