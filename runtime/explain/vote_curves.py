"""What a vote is worth: curves from a vote beyond chance to the probability that the finding is there.

They are curves like those of single scores (`runtime.calibration`), for each kind of query and several sizes
of archive, with votes beyond chance in place of scores, fitted by `train.evaluate.vote_fitting`. They stand
in a file of their own, for the model whose graphs they name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_retrieve.runtime.bundle import Bundle, Graph, ScoreCalibration, ScoreCurve, Sides
from edge_retrieve.runtime.calibration import QueryKind, calibrate
from edge_retrieve.runtime.errors import BundleError, reason_of
from edge_retrieve.runtime.explain.votes import Floats

SHIPPED = Path(__file__).parent / "vote_curves.json"
_REMEDY = "Fit the votes again: edge-retrieve eval report --fit FILE"


@dataclass(frozen=True)
class VoteCurves:
    """The curves of one model.

    Parameters
    ----------
    graphs : str
        `graphs_digest` of the bundle that they are for.
    suspected, surveyed : ScoreCalibration
        Their scores are votes beyond chance: in places that somebody asked about, and in every region in
        turn. A finding is likelier where it is suspected, with the same votes.
    """

    graphs: str
    suspected: ScoreCalibration
    surveyed: ScoreCalibration

    def probabilities(
        self, votes: Floats, *, asked: Sides, conditioned: bool, survey: bool, studies: int
    ) -> Floats | None:
        """Return what votes are worth; None where such a query has no curve.

        Parameters
        ----------
        votes : float64 array
            Beyond chance.
        asked : Sides
            What the query has.
        conditioned : bool
            Whether the neighbours were sought in a region.
        survey : bool
            Whether nobody asked about this region in particular.
        studies : int
            Cases that they were sought among.
        """
        kind = QueryKind(asked, Sides.BOTH, conditioned)
        curves = self.surveyed if survey else self.suspected
        found = calibrate(curves, kind, studies, np.asarray(votes, dtype=np.float32))
        return None if found is None else found.astype(np.float64)

    def to_json(self) -> dict[str, Any]:
        """Return what `read_curves` reads."""
        return {
            "graphs": self.graphs,
            "suspected": asdict(self.suspected),
            "surveyed": asdict(self.surveyed),
        }


def graphs_digest(bundle: Bundle) -> str:
    """Return a digest of a bundle's three graphs and of what its scores are worth: votes rest on both."""
    manifest = bundle.manifest
    parts = [manifest.files[str(getattr(manifest, graph.value))] for graph in Graph]
    for told in (manifest.fusion, manifest.score_calibration):
        parts.append(json.dumps(None if told is None else asdict(told), sort_keys=True))
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def read_curves(path: Path) -> VoteCurves:
    """Read a file of curves.

    Raises
    ------
    BundleError
        Where it is missing, or holds anything but curves.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        suspected, surveyed = (_calibration(stored[name]) for name in ("suspected", "surveyed"))
        curves = VoteCurves(str(stored["graphs"]), suspected, surveyed)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"the curves of votes cannot be read ({reason_of(error)})", where=str(path), remedy=_REMEDY
        ) from error
    for problem in (*suspected.problems(), *surveyed.problems()):
        raise BundleError(problem, where=str(path), remedy=_REMEDY)
    return curves


def curves_for(bundle: Bundle, path: Path = SHIPPED) -> VoteCurves | None:
    """Return the curves that were fitted for a bundle; None where the file's are another's.

    Raises
    ------
    BundleError
        As `read_curves`.
    """
    curves = read_curves(path)
    return curves if curves.graphs == graphs_digest(bundle) else None


def require_curves(bundle: Bundle, path: Path = SHIPPED) -> VoteCurves:
    """Return the curves of a file, which have to be the bundle's.

    Raises
    ------
    BundleError
        As `read_curves`, and where they are another bundle's.
    """
    curves = curves_for(bundle, path)
    if curves is None:
        raise BundleError(
            "what votes are worth is not known for this bundle",
            where=str(path),
            remedy="Fit it: edge-retrieve eval report --fit FILE",
        )
    return curves


def _calibration(stored: dict[str, Any]) -> ScoreCalibration:
    return ScoreCalibration(
        str(stored["method"]),
        str(stored["data"]),
        float(stored["unanswerable"]),
        int(stored["hits"]),
        tuple(_curve(each) for each in stored["curves"]),
    )


def _curve(stored: dict[str, Any]) -> ScoreCurve:
    return ScoreCurve(
        asked=Sides(stored["asked"]),
        searched=Sides(stored["searched"]),
        conditioned=bool(stored["conditioned"]),
        studies=int(stored["studies"]),
        scores=tuple(float(vote) for vote in stored["scores"]),
        probabilities=tuple(float(probability) for probability in stored["probabilities"]),
    )
