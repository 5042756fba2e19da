"""What readers thought: verdicts on hits, impressions before and after the hits, drafts they accepted."""

from edge_retrieve.edge_app.feedback.acceptances import Acceptances, Accepted, Words
from edge_retrieve.edge_app.feedback.database import FEEDBACK_NAME, FeedbackDatabase
from edge_retrieve.edge_app.feedback.questions import Asked, Questions
from edge_retrieve.edge_app.feedback.reads import Final, Impression, Read, Reads, Revealed
from edge_retrieve.edge_app.feedback.verdicts import NewVerdict, Verdict, VerdictKind, Verdicts

__all__ = [
    "FEEDBACK_NAME",
    "Acceptances",
    "Accepted",
    "Asked",
    "FeedbackDatabase",
    "Final",
    "Impression",
    "NewVerdict",
    "Questions",
    "Read",
    "Reads",
    "Revealed",
    "Verdict",
    "VerdictKind",
    "Verdicts",
    "Words",
]
