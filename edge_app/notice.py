"""What stands at the foot of every page: no medical device, and which model and archive answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge_retrieve.edge_app.workspace import Workspace

DISCLAIMER = "Not a medical device. For research only."
_STUDIES = ("studies", "study")


@dataclass(frozen=True)
class Notice:
    """Which model and archive answer.

    Parameters
    ----------
    model : str
        The model's identifier.
    archive : str
        As its label says.
    synthetic : bool
        Whether it holds phantoms rather than patients.
    training_data : str
        In words; empty where it is not to be told.
    studies : int or None
        How many the archive holds; None where that is not to be told.
    """

    model: str
    archive: str
    synthetic: bool
    training_data: str = ""
    studies: int | None = None

    @classmethod
    def of(cls, workspace: Workspace) -> Notice:
        """Return what everybody may know who reaches the server: nothing of what the archive holds."""
        label = workspace.label
        return cls(workspace.bundle.manifest.model_id, label.name, label.synthetic)

    @classmethod
    def whole(cls, workspace: Workspace) -> Notice:
        """Return what those may know who are let in."""
        training_data = workspace.bundle.manifest.training_data
        return replace(cls.of(workspace), training_data=training_data, studies=workspace.store.count())

    def words(self) -> tuple[str, str]:
        """Return what is said of the model and of the archive."""
        held = "" if self.studies is None else f"{self.studies:,} {_STUDIES[self.studies == 1]}"
        kind = "synthetic phantoms, no patients" if self.synthetic else ""
        model = (f"Model {self.model}", self.training_data)
        archive = (f"Archive {self.archive}", held, kind)
        return " · ".join(filter(None, model)), " · ".join(filter(None, archive))
