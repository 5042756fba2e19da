"""Text tower: a BERT encoder over the tokens of a text."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from edge_retrieve.train.config import ModelConfig


class TextTower(nn.Module):
    """Token ids to unit word and text embeddings.

    Parameters
    ----------
    encoder : Module
        A BERT-like model of `transformers`.
    width : int
        Hidden units of the encoder.
    config : ModelConfig
        `embedding_dim`.
    """

    def __init__(self, encoder: nn.Module, width: int, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.project = nn.Linear(width, config.embedding_dim)

    def forward(self, token_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Encode token ids [B, T] with mask [B, T] (1 = token) to words [B, T, D] and text [B, D], both unit.

        The text is the mean of its words: every word counts, however far it stands from the first.
        """
        # An additive mask given as [B, 1, 1, T] passes through every version of the library untouched.
        additive = (1.0 - mask.to(torch.float32))[:, None, None, :] * -1e4
        hidden = self.encoder(input_ids=token_ids, attention_mask=additive).last_hidden_state
        words = self.project(hidden).float()
        present = mask.to(words.dtype)[..., None]
        text = (words * present).sum(dim=1) / present.sum(dim=1).clamp_min(1.0)
        return F.normalize(words, dim=-1, eps=1e-6), F.normalize(text, dim=-1, eps=1e-6)


def small_encoder(config: ModelConfig, vocabulary: int) -> nn.Module:
    """Return an untrained BERT of `text_layers` layers of `text_width` for a number of tokens."""
    encoder = BertModel(
        BertConfig(
            vocab_size=vocabulary,
            hidden_size=config.text_width,
            num_hidden_layers=config.text_layers,
            num_attention_heads=config.text_heads,
            intermediate_size=4 * config.text_width,
            max_position_embeddings=config.max_text_tokens,
            # Two small layers on a grammar's sentences do not overfit; dropout only slows them.
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            attn_implementation="eager",
        ),
        add_pooling_layer=False,
    )
    assert isinstance(encoder, nn.Module)
    return encoder
