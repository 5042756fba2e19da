"""WordPiece tokenizer, trained on the training reports alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

PAD = "[PAD]"
SPECIAL_TOKENS = (PAD, "[UNK]", "[CLS]", "[SEP]")


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Train a lower-casing WordPiece tokenizer.

    Parameters
    ----------
    texts : iterable of str
    vocabulary : int
        Number of tokens at most.

    Returns
    -------
    Tokenizer
        Wraps each text in ``[CLS]`` and ``[SEP]``; its ``[PAD]`` has id 0.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL_TOKENS), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    specials = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=specials)
    return tokenizer


def tokenize(
    tokenizer: Tokenizer, texts: Sequence[str], limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Encode texts to token ids and mask, both of shape [N, T] with T the longest text or `limit`."""
    tokenizer.enable_truncation(limit)
    rows = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    length = max(map(len, rows))
    ids = np.zeros((len(rows), length), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask
