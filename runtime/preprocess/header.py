"""Reading DICOM attributes that may be absent, empty or damaged."""

from __future__ import annotations

import math
from typing import Any

from pydicom.dataset import Dataset


class Header:
    """A data set whose attributes can be asked for without fear.

    pydicom converts a value when it is first touched, and a damaged one raises whatever its converter
    raises. Here such a value counts as absent and its keyword is remembered.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
    damaged : set of str, optional
        Where keywords of unreadable attributes are collected; shared with nested items.
    """

    def __init__(self, dataset: Dataset, damaged: set[str] | None = None) -> None:
        self.dataset = dataset
        self.damaged: set[str] = set() if damaged is None else damaged

    def raw(self, keyword: str) -> Any:
        """Return a value as pydicom gives it, None where absent, empty or unreadable."""
        try:
            value = self.dataset.get(keyword)
        except Exception:
            # Any converter of pydicom may have failed on bytes that came from outside.
            self.damaged.add(keyword)
            return None
        return value

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Return the values as stripped strings, empty ones left out."""
        value = self.raw(keyword)
        if value is None:
            return ()
        values = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
        return tuple(text for text in (str(item).strip(" \0\r\n\t") for item in values) if text)

    def text(self, keyword: str) -> str:
        """Return all values of an attribute joined with a backslash, as in the file."""
        return "\\".join(self.texts(keyword))

    def word(self, keyword: str) -> str:
        """Return the first value in capitals, as code strings are compared."""
        return next((text.upper() for text in self.texts(keyword)), "")

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Return the values as finite numbers; none at all where any of them is not one."""
        try:
            numbers = tuple(float(text) for text in self.texts(keyword))
        except ValueError:
            self.damaged.add(keyword)
            return ()
        if not all(math.isfinite(number) for number in numbers):
            self.damaged.add(keyword)
            return ()
        return numbers

    def integer(self, keyword: str) -> int | None:
        """Return the first value as an integer, None where there is none."""
        numbers = self.numbers(keyword)
        return int(numbers[0]) if numbers else None

    def items(self, keyword: str) -> tuple[Header, ...]:
        """Return the items of a sequence."""
        value = self.raw(keyword)
        if value is None:
            return ()
        try:
            return tuple(Header(item, self.damaged) for item in value if isinstance(item, Dataset))
        except Exception:
            # As in `raw`: nested items are parsed only when they are looped over.
            self.damaged.add(keyword)
            return ()
