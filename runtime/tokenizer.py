"""The bundle's ``tokenizer.json``, read by the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.bundle import Bundle
from edge_retrieve.runtime.errors import BundleError


class TextTokenizer:
    """Turns texts into padded token ids and their mask.

    Parameters
    ----------
    bundle : Bundle

    Raises
    ------
    BundleError
        Where its tokenizer file cannot be loaded.
    """

    def __init__(self, bundle: Bundle) -> None:
        from tokenizers import Tokenizer

        path: Path = bundle.file(bundle.manifest.tokenizer)
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise BundleError(
                f"the tokenizer cannot be loaded ({error})",
                where=str(path),
                remedy="Export the bundle again",
            ) from error
        self._tokenizer.enable_truncation(max_length=bundle.manifest.max_text_tokens)
        padding = self._tokenizer.padding or {}
        token = padding.get("pad_token", "[PAD]")
        self._tokenizer.enable_padding(pad_id=self._tokenizer.token_to_id(token) or 0, pad_token=token)

    def __call__(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return token ids and mask (1 for a token, 0 for padding), both of shape [B, T]."""
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = np.asarray([encoding.ids for encoding in encodings], dtype=np.int64)
        mask = np.asarray([encoding.attention_mask for encoding in encodings], dtype=np.int64)
        return ids, mask
