"""The tokenizer that a pretrained text model was trained with, read from its folder."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.model.backbone_folder import backbone_folder, read_json

_WHERE = "model.text_backbone"


def load_backbone_tokenizer(path: str) -> Tokenizer:
    """Read ``tokenizer.json``, or the older ``vocab.txt`` (BERT) or ``vocab.json`` with ``merges.txt``.

    Parameters
    ----------
    path : str
        The text backbone's folder.

    Returns
    -------
    Tokenizer
        Neither pads nor truncates by itself.

    Raises
    ------
    ConfigError
        The folder is missing, has none of these files, or one does not read.
    """
    folder = backbone_folder(path, _WHERE)
    try:
        tokenizer = _read(folder)
    except ConfigError:
        raise
    except Exception as error:  # the library raises bare Exception
        raise ConfigError(f"the tokenizer in {folder} cannot be read ({error})", where=_WHERE) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _read(folder: Path) -> Tokenizer:
    whole = folder / "tokenizer.json"
    if whole.is_file():
        return Tokenizer.from_file(str(whole))
    settings = folder / "tokenizer_config.json"
    options = read_json(settings, _WHERE) if settings.is_file() else {}
    vocabulary = folder / "vocab.txt"
    if vocabulary.is_file():
        return _word_piece(vocabulary, lowercase=bool(options.get("do_lower_case", True)))
    pairs, merges = folder / "vocab.json", folder / "merges.txt"
    if pairs.is_file() and merges.is_file():
        return _byte_pairs(pairs, merges, space=bool(options.get("add_prefix_space", False)))
    raise ConfigError(
        f"{folder} has no tokenizer",
        where=_WHERE,
        remedy="Copy tokenizer.json too, or vocab.txt, or vocab.json and merges.txt",
    )


def _word_piece(vocabulary: Path, *, lowercase: bool) -> Tokenizer:
    """BERT's own: Devlin et al. 2019, as in the tokenizer that comes with its checkpoints."""
    tokenizer = Tokenizer(models.WordPiece.from_file(str(vocabulary), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    first, last = (_known(tokenizer, token) for token in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.BertProcessing(last, first)
    return tokenizer


def _byte_pairs(vocabulary: Path, merges: Path, *, space: bool) -> Tokenizer:
    """RoBERTa's own: byte-level pairs, as GPT-2's, between ``<s>`` and ``</s>``."""
    tokenizer = Tokenizer(models.BPE.from_file(str(vocabulary), str(merges), unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space)
    tokenizer.decoder = decoders.ByteLevel()
    first, last = (_known(tokenizer, token) for token in ("<s>", "</s>"))
    tokenizer.post_processor = processors.RobertaProcessing(
        last, first, trim_offsets=True, add_prefix_space=space
    )
    return tokenizer


def _known(tokenizer: Tokenizer, token: str) -> tuple[str, int]:
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ConfigError(f"the tokenizer has no {token}", where=_WHERE)
    return token, number
