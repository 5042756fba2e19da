"""Names for what was asked: the same question about the same image has the same name at any time."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from edge_retrieve.edge_app.asking import Question

if TYPE_CHECKING:
    # Reading needs more than the light installation, where studies are deleted, too.
    from edge_retrieve.edge_app.reading import ReadImage

_REMEMBERED = 512
# The upload goes by its pixels; the others are which page of the answer is shown.
_LEFT_OUT = frozenset({"image", "k", "offset", "min_score"})
_NAME_DIGITS = 24  # hexadecimal: 96 bits


@dataclass(frozen=True)
class Asked:
    """A question by its name.

    Parameters
    ----------
    query_id : str
    described : str
        What was asked, as JSON with sorted keys.
    """

    query_id: str
    described: str


def describe(question: Question, image: ReadImage | None) -> Asked:
    """Return the name of a question. Which page of hits was wanted is left out.

    Parameters
    ----------
    question : Question
    image : ReadImage or None
        The question's upload, which goes by the digest of its pixels.
    """
    document = {name: value for name, value in asdict(question.query).items() if name not in _LEFT_OUT}
    document["study"] = question.study
    document["image"] = None if image is None else image.radiograph.pixels_sha256
    described = json.dumps(document, sort_keys=True, default=_plain)
    return Asked(hashlib.sha256(described.encode()).hexdigest()[:_NAME_DIGITS], described)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} is not described")


class Questions:
    """The questions that were asked lately, by their names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: OrderedDict[str, Asked] = OrderedDict()

    def note(self, asked: Asked) -> None:
        """Remember a question."""
        with self._lock:
            self._items[asked.query_id] = asked
            self._items.move_to_end(asked.query_id)
            while len(self._items) > _REMEMBERED:
                self._items.popitem(last=False)

    def get(self, query_id: str) -> Asked | None:
        """Return a question by its name, None where it was not asked lately."""
        with self._lock:
            return self._items.get(query_id)
