"""The JSON forms of the command line, the HTTP interface and its client: field names are the keys.

Boxes are ``(x1, y1, x2, y2)`` in pixels of the image as displayed at full size. Dates are ``YYYY-MM-DD``,
empty where unknown. docs/http-api.md says what each entry means.
"""

from edge_retrieve.edge_app.shapes.answers import (
    Answer,
    AnswerFacts,
    FusionShape,
    HitShape,
    Match,
    OtherwiseStated,
    Prior,
    QueryBox,
    Result,
    ShownHit,
)
from edge_retrieve.edge_app.shapes.archive import (
    Alive,
    Archive,
    FindingList,
    Limits,
    ModelInUse,
    ReadyShape,
    RegionList,
    RegionName,
)
from edge_retrieve.edge_app.shapes.boxes import BoxEdges
from edge_retrieve.edge_app.shapes.drafts import AcceptedList, AcceptedShape
from edge_retrieve.edge_app.shapes.feedback import (
    FinalShape,
    ReadList,
    ReadShape,
    RevealedShape,
    VerdictList,
    VerdictShape,
)
from edge_retrieve.edge_app.shapes.jobs import JobList, JobProblemShape, JobShape
from edge_retrieve.edge_app.shapes.pictures import GreyWindow, Grounded, LocatedBox, PixelFacts
from edge_retrieve.edge_app.shapes.studies import (
    ImageFacts,
    SaidFinding,
    SaidSentence,
    SeenBox,
    StudyLine,
    StudyPage,
    StudyShape,
    UploadShape,
)

__all__ = [
    "AcceptedList",
    "AcceptedShape",
    "Alive",
    "Answer",
    "AnswerFacts",
    "Archive",
    "BoxEdges",
    "FinalShape",
    "FindingList",
    "FusionShape",
    "GreyWindow",
    "Grounded",
    "HitShape",
    "ImageFacts",
    "JobList",
    "JobProblemShape",
    "JobShape",
    "Limits",
    "LocatedBox",
    "Match",
    "ModelInUse",
    "OtherwiseStated",
    "PixelFacts",
    "Prior",
    "QueryBox",
    "ReadList",
    "ReadShape",
    "ReadyShape",
    "RegionList",
    "RegionName",
    "Result",
    "RevealedShape",
    "SaidFinding",
    "SaidSentence",
    "SeenBox",
    "ShownHit",
    "StudyLine",
    "StudyPage",
    "StudyShape",
    "UploadShape",
    "VerdictList",
    "VerdictShape",
]
