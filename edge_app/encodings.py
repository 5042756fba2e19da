"""Encodings of stored studies with their feature maps, which the store does not keep."""

from __future__ import annotations

from edge_retrieve.edge_app.latest import Latest
from edge_retrieve.edge_app.metrics import Metrics, Stage
from edge_retrieve.edge_app.pictures import Held
from edge_retrieve.runtime.encoder import Encoder, ImageEncoding
from edge_retrieve.runtime.stored_picture import displayed

_KEPT = 8  # images; a feature map is some megabytes


class Encodings:
    """Encodings of the latest few stored images that were asked for, made from their pictures.

    Parameters
    ----------
    encoder : Encoder
    metrics : Metrics
    """

    def __init__(self, encoder: Encoder, metrics: Metrics) -> None:
        self._encoder, self._metrics = encoder, metrics
        self._latest: Latest[ImageEncoding] = Latest(_KEPT)

    def of(self, held: Held) -> ImageEncoding:
        """Return the encoding of an image, its boxes in pixels of the picture.

        Parameters
        ----------
        held : Held
            Its picture.
        """

        def encode() -> ImageEncoding:
            with self._metrics.stage(Stage.ENCODE):
                return self._encoder.encode_image(displayed(held.grey))

        return self._latest.get(held.name, encode)
