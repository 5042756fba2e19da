"""The bank gives one sentence per known (region, finding), of that region and finding."""

from __future__ import annotations

from collections import Counter

import numpy as np

from edge_retrieve.train.batches import make_batch
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.text_bank import TextBank
from edge_retrieve.train.tokenizer import train_tokenizer


def test_each_region_and_finding_comes_once_and_normal_ones_four_times(corpus: Corpus) -> None:
    bank = TextBank(corpus)
    drawn = bank.sample(np.random.default_rng(0))
    keys = []
    for entry in drawn:
        found = np.flatnonzero(corpus.labels[entry.study, entry.region])
        assert len(found) <= 1
        assert any(
            text.text == entry.text and text.region == entry.region
            for text in corpus.region_texts[entry.study]
        )
        keys.append((entry.region, *found))
    assert len(keys) == len(bank)
    assert all(count == (4 if len(key) == 1 else 1) for key, count in Counter(keys).items())
    known = {
        (text.region, *np.flatnonzero(corpus.labels[study, text.region]))
        for study, texts in enumerate(corpus.region_texts)
        for text in texts
    }
    assert set(keys) == {key for key in known if len(key) <= 2}


def test_a_batch_carries_the_labels_of_its_texts(corpus: Corpus) -> None:
    tokenizer = train_tokenizer(corpus.reports, 200)
    rows = np.array([0, 2, 5])
    alone = make_batch(corpus, rows, tokenizer, 48, (1,))
    banked = make_batch(corpus, rows, tokenizer, 48, (1,), TextBank(corpus))
    assert len(banked.text_regions) == len(alone.text_regions) + len(TextBank(corpus))
    assert (alone.text_labels.sum(dim=1) > 0).all(), "own texts are those with a finding"
    assert set(alone.text_patients.tolist()) <= set(corpus.patients[rows].tolist())
    assert banked.region_token_ids.shape == banked.region_mask.shape
