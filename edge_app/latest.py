"""A small memory of what was made lately."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Latest(Generic[Made]):
    """The latest few things that were made; the one not asked for the longest goes first.

    Parameters
    ----------
    room : int
        How many are kept, or how much of what `weigh` tells.
    weigh : callable, optional
        Tells how much room something takes; 1 each where left out.
    """

    def __init__(self, room: int, weigh: Callable[[Made], int] = lambda _: 1) -> None:
        self._room, self._weigh, self._held = room, weigh, 0
        self._lock = threading.Lock()
        self._items: OrderedDict[Hashable, Made] = OrderedDict()

    def get(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made under a name, or make it; two callers at once may both make it."""
        with self._lock:
            if name in self._items:
                self._items.move_to_end(name)
                return self._items[name]
        made = make()
        with self._lock:
            if name in self._items:
                self._held -= self._weigh(self._items.pop(name))
            self._items[name] = made
            self._held += self._weigh(made)
            while self._held > self._room:
                self._held -= self._weigh(self._items.popitem(last=False)[1])
        return made
