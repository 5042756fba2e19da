"""What a language model is asked about real X-rays fits into its context, by a tokenizer of its own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.explain.llm.client import ANSWER_TOKENS
from edge_retrieve.runtime.explain.llm.prompting import Task, build_prompt
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.query import Query
from edge_retrieve.train.phantom.archive import write_archive

DATA = Path(__file__).parents[3] / "shared" / "data"
CASES, REPORTS = DATA / "cxr" / "cases.csv", DATA / "reports" / "iu_reports_dev.csv"
ARCHIVE = 200  # phantoms
CONTEXTS = (2048, 4096)  # tokens
A_MESSAGE = 8  # tokens that mark who says it

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CASES.is_file() or not REPORTS.is_file(), reason=f"no real cases at {DATA}"),
]


@pytest.fixture(scope="module")
def tokenizer():
    """Of 4,000 pieces learnt from real reports, an eighth of a usual vocabulary: so it cuts finer."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    with REPORTS.open(encoding="utf-8", newline="") as table:
        texts = [" ".join(filter(None, row.values())) for row in csv.DictReader(table)]
    made.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=4000, initial_alphabet=alphabet, show_progress=False)
    )
    return made


@pytest.fixture(scope="module")
def explainer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    write_archive(folder / "phantoms", ARCHIVE, 990_011, size=256, workers=1)
    with Workspace(folder / "store", None, create=True) as workspace:
        ingest(workspace.store, workspace.encoder, [folder / "phantoms"])
        yield workspace.explainer


def test_prompts_about_the_real_cases_stay_inside_the_context(explainer, tokenizer):
    with CASES.open(encoding="utf-8", newline="") as table:
        files = [CASES.parent / row["file"] for row in csv.DictReader(table)]
    assert len(files) == 68
    with_findings = 0
    for file in files:
        evidence = explainer.explain(Query(image=file))
        with_findings += any(place.stated or place.possible for place in evidence.places)
        for task in Task:
            for context in CONTEXTS:
                prompt = build_prompt(evidence, task, context)
                counted = [len(tokenizer.encode(each["content"]).ids) for each in prompt.messages]
                assert sum(counted) + A_MESSAGE * len(counted) + ANSWER_TOKENS <= context, (file, task)
    assert with_findings > 10  # or the prompts would be empty
