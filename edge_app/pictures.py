"""Pictures of stored studies and of uploads: grey values, windows, smaller sizes."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, replace

from PIL import Image

from edge_retrieve.edge_app.latest import Latest
from edge_retrieve.edge_app.metrics import Metrics, Stage
from edge_retrieve.edge_app.reading import ReadImage
from edge_retrieve.edge_app.refusals import NotFoundError
from edge_retrieve.edge_app.uploads import Upload
from edge_retrieve.runtime.errors import EdgeRetrieveError, QueryError
from edge_retrieve.runtime.ingest_loading import PREVIEW_SIDE
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.preprocess.grey import GreyImage, GreyKind, Window
from edge_retrieve.runtime.preprocess.render import shown_png
from edge_retrieve.runtime.store import Store

_PREVIEW_BYTES = 8 << 20  # some thirty, of about 300 kB each
_THUMBNAIL_BYTES = 8 << 20  # some hundred, of 10 to 60 kB each: a few pages of a list
_STUDIES = 16  # grey values of stored studies, at most 2 MB each
_UPLOADS = 2  # grey values of uploads at full size, some 20 MB each
_PACKED = 16  # as sent
_GZIP_LEVEL = 1  # the lower bits are noise: more effort gains little
_EARLIER = "stored by an earlier version, as an 8-bit picture: windows cannot reach beyond the file's own"


@dataclass(frozen=True)
class Held:
    """An image's grey values, and the size that boxes refer to.

    Parameters
    ----------
    name : str
        Of the image: the digest of its pixels, or the upload's.
    grey : GreyImage
    width, height : int
        Pixels of the image as displayed.
    note : str
        What a reader should know; empty where nothing.
    """

    name: str
    grey: GreyImage
    width: int
    height: int
    note: str


@dataclass(frozen=True)
class Shown:
    """How a picture is wanted.

    Parameters
    ----------
    level, window : float or None
        Center and width in units of the grey values; both or neither.
    invert : bool
    side : int or None
        Longest side, pixels; None for the whole picture.
    """

    level: float | None = None
    window: float | None = None
    invert: bool = False
    side: int | None = None

    def chosen(self) -> Window | None:
        """Return the window, None for the image's own.

        Raises
        ------
        QueryError
            Where only half of it is given.
        """
        if self.level is None and self.window is None:
            return None
        if self.level is None or self.window is None:
            raise QueryError(
                "a window has a center and a width", where="level, window", remedy="Give both or neither"
            )
        return Window("chosen", self.level, self.window)


class Pictures:
    """Pictures of one server, the latest remembered.

    Parameters
    ----------
    store : Store
    metrics : Metrics
    """

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store, self._metrics = store, metrics
        # A stored picture never changes, but its study may be deleted: the store is always asked first.
        self._previews: Latest[bytes] = Latest(_PREVIEW_BYTES, len)
        self._thumbnails: Latest[bytes] = Latest(_THUMBNAIL_BYTES, len)
        self._studies: Latest[Held] = Latest(_STUDIES)
        self._uploads: Latest[Held] = Latest(_UPLOADS)
        self._packed: Latest[bytes] = Latest(_PACKED)

    def of_study(self, study: str) -> Held:
        """Return a study's grey values.

        Raises
        ------
        UnknownStudyError
            Where the store has no such study.
        """

        def read() -> Held:
            stored = self._store.picture(study)
            with self._metrics.stage(Stage.DECODE):
                grey = stored.image()
            earlier = grey.scale.kind is GreyKind.DISPLAY and max(grey.values.shape) < max(
                stored.width, stored.height
            )
            note = _EARLIER if earlier and grey.scale.bits <= 8 else ""
            return Held(stored.sha256, grey, stored.width, stored.height, note)

        return self._studies.get(self._store.pixels_sha256(study), read)

    def of_upload(self, upload: Upload[ReadImage]) -> Held:
        """Return an upload's grey values at full size.

        Raises
        ------
        NotFoundError
            Where its file was dropped meanwhile.
        """

        def read() -> Held:
            with self._metrics.stage(Stage.DECODE):
                try:
                    grey = load_radiograph(upload.path, grey=True).grey
                except EdgeRetrieveError as error:
                    raise NotFoundError(
                        "the uploaded image is no longer kept", where="upload", remedy="Open the file again"
                    ) from error
            assert grey is not None  # as asked for
            return Held(upload.id, grey, grey.values.shape[1], grey.values.shape[0], "")

        return self._uploads.get(upload.id, read)

    def study_png(self, study: str, shown: Shown) -> bytes:
        """Return a study's picture as PNG."""
        if shown != Shown(side=shown.side):
            return self._png(self.of_study(study), shown)
        name = self._store.pixels_sha256(study)

        def preview() -> bytes:
            return self._previews.get(name, lambda: self._store.preview(study))

        side = shown.side
        return (
            preview()
            if side is None
            else self._thumbnails.get((name, side), lambda: _reduced(preview(), side))
        )

    def upload_png(self, upload: Upload[ReadImage], shown: Shown) -> bytes:
        """Return an upload's picture as PNG."""
        if shown == Shown(side=shown.side):
            picture = upload.content.preview
            return _reduced(picture, shown.side) if shown.side else picture
        return self._png(self.of_upload(upload), replace(shown, side=shown.side or PREVIEW_SIDE))

    def packed(self, held: Held, *, compressed: bool) -> bytes:
        """Return grey values as they are sent: little-endian, row by row, with gzip where asked."""

        def pack() -> bytes:
            with self._metrics.stage(Stage.RENDER):
                raw = held.grey.values.astype("<u2", copy=False).tobytes()
                return gzip.compress(raw, _GZIP_LEVEL, mtime=0)

        if not compressed:
            return held.grey.values.astype("<u2", copy=False).tobytes()
        return self._packed.get(held.name, pack)

    def _png(self, held: Held, shown: Shown) -> bytes:
        window = shown.chosen()
        with self._metrics.stage(Stage.RENDER):
            grey = held.grey.reduced(shown.side) if shown.side else held.grey
            return shown_png(grey, window, invert=shown.invert)


def _reduced(picture: bytes, side: int) -> bytes:
    with Image.open(io.BytesIO(picture)) as image:
        image.thumbnail((side, side))
        stream = io.BytesIO()
        image.save(stream, format="PNG")
    return stream.getvalue()
