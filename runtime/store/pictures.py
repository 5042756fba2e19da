"""The pictures of stored images: grey values to window, from which the 8-bit preview is made."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass

from edge_retrieve.runtime.preprocess.grey import (
    BYTE_TOP,
    GreyImage,
    GreyKind,
    GreyScale,
    Window,
    full_range,
)
from edge_retrieve.runtime.preprocess.render import read_grey_png, shown_png
from edge_retrieve.runtime.store.seals import Terms, damaged, seal, unseal

AS_STORED = GreyScale(GreyKind.DISPLAY, BYTE_TOP, (full_range(BYTE_TOP, "as stored"),))
"""The scale of a picture without a note of its own: 8 bits, as the display was when it was stored."""


@dataclass(frozen=True)
class StoredPicture:
    """An image's picture as stored.

    Parameters
    ----------
    png : bytes
        Grey values in 8 or 16 bits.
    scale : GreyScale
        What they mean.
    width, height : int
        Pixels of the image as displayed; the picture may be smaller.
    sha256 : str
        Of the image's pixels.
    """

    png: bytes
    scale: GreyScale
    width: int
    height: int
    sha256: str

    def image(self) -> GreyImage:
        """Return the grey values."""
        return GreyImage(read_grey_png(self.png, "the store"), self.scale)

    def preview(self) -> bytes:
        """Return the 8-bit PNG that shows the image as its file asks."""
        return self.png if self.scale == AS_STORED else shown_png(self.image())


def put_scale(db: sqlite3.Connection, image: int, sop_instance: str, scale: GreyScale, terms: Terms) -> None:
    """Keep what an image's grey values mean, where that is not `AS_STORED`."""
    if scale != AS_STORED:
        held = json.dumps(asdict(scale)).encode()
        db.execute("INSERT INTO grey_scales VALUES (?, ?)", (image, seal(held, _start(sop_instance, terms))))


def read_picture(db: sqlite3.Connection, image: int, terms: Terms) -> StoredPicture:
    """Return an image's picture by the image's number.

    Raises
    ------
    StoreError
        Where it is missing or damaged.
    """
    row = db.execute(
        "SELECT i.sop_instance, i.preview, i.width, i.height, i.pixels_sha256, g.described"
        " FROM images i LEFT JOIN grey_scales g ON g.image = i.id WHERE i.id = ?",
        (image,),
    ).fetchone()
    if row is None:
        raise damaged(f"the image with the number {image} cannot be read")
    sop, sealed, width, height, sha256, described = row
    png = unseal(sealed, terms.start("preview", sop), f"the picture of image '{sop}'")
    return StoredPicture(png, _scale(described, sop, terms), width, height, sha256)


def first_image(db: sqlite3.Connection, study: str) -> int | None:
    """Return the number of a study's first searched image, else of its first; None where it is unknown."""
    row = db.execute(
        "SELECT i.id FROM images i JOIN studies s ON s.id = i.study WHERE s.study = ?"
        " ORDER BY i.indexed DESC, i.id LIMIT 1",
        (study,),
    ).fetchone()
    return None if row is None else int(row[0])


def _scale(described: object, sop_instance: str, terms: Terms) -> GreyScale:
    if described is None:
        return AS_STORED
    held = unseal(described, _start(sop_instance, terms), f"the grey scale of image '{sop_instance}'")
    found = json.loads(held)
    return GreyScale(
        GreyKind(found["kind"]), int(found["top"]), tuple(Window(**each) for each in found["windows"])
    )


def _start(sop_instance: str, terms: Terms) -> int:
    return terms.start("grey", sop_instance)
