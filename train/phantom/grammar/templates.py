"""The type that holds paraphrases, and the rule which of them a report may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Templates:
    """Paraphrases of one statement.

    Parameters
    ----------
    seen : tuple of str
        Used in training and validation reports.
    held_out : tuple of str
        Used in test reports alone, so that no sentence of a test report repeats one that was learnt.
    """

    seen: tuple[str, ...]
    held_out: tuple[str, ...]

    def choices(self, held_out: bool) -> tuple[str, ...]:
        """Return the paraphrases a report may use."""
        return self.held_out if held_out else self.seen
