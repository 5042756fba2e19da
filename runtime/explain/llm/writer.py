"""The language model as a writer: what it says is checked, what the evidence does not bear is dropped."""

from __future__ import annotations

import logging
from dataclasses import replace

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.errors import LanguageModelError
from edge_retrieve.runtime.explain.checks import check_sentence
from edge_retrieve.runtime.explain.draft import Draft, DraftSentence, Dropped
from edge_retrieve.runtime.explain.evidence import Evidence
from edge_retrieve.runtime.explain.llm.answer import SCHEMA, read_answer
from edge_retrieve.runtime.explain.llm.client import OnText, Stop, StoppedError, chat
from edge_retrieve.runtime.explain.llm.endpoint import Endpoint
from edge_retrieve.runtime.explain.llm.prompting import Task, build_prompt
from edge_retrieve.runtime.explain.template import TemplateWriter
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.reports import parse_report
from edge_retrieve.runtime.reports.types import Section

_log = logging.getLogger(__name__)
_SECTIONS = {
    Task.EXPLANATION: (Section.FINDINGS,),
    Task.DIAGNOSIS: (Section.IMPRESSION,),
    Task.REPORT: (Section.FINDINGS, Section.IMPRESSION),
}


class LlmWriter:
    """Lets a language model write, and the template where that fails.

    Parameters
    ----------
    endpoint : Endpoint
    task : Task
    """

    def __init__(self, endpoint: Endpoint, task: Task = Task.REPORT) -> None:
        self._endpoint, self._task = endpoint, task

    def write(
        self, evidence: Evidence, *, stop: Stop = lambda: False, on_text: OnText = lambda text: None
    ) -> Draft:
        """Return a draft; it is the template's where the model's is none.

        Where the evidence states nothing there is nothing to put into words, and nobody is asked.

        Parameters
        ----------
        evidence : Evidence
        stop : callable
            Looked at while waiting: the template writes once it is true.
        on_text : callable
            Called with each piece of the answer as it comes, unchecked.

        Raises
        ------
        ConfigError
            Where the model's address is public.
        """
        plain = TemplateWriter().write(evidence)
        if not any(place.stated or place.possible for place in evidence.places):
            return plain
        try:
            prompt = build_prompt(evidence, self._task, self._endpoint.context_tokens)
            answer = chat(self._endpoint, prompt.messages, SCHEMA, stop=stop, on_text=on_text)
            sentences = read_answer(answer, prompt.cases, evidence)
        except StoppedError:
            return replace(plain, notes=(*plain.notes, "The language model was stopped."))
        except LanguageModelError as error:
            _log.warning("the template writes: %s", error)
            return replace(plain, notes=(*plain.notes, f"The language model was passed over: {error}"))
        kept, dropped = checked(sentences, evidence)
        if not any(_stated(sentence) for sentence in kept):
            note = "The language model said nothing that the evidence bears; the template wrote."
            return replace(plain, dropped=dropped, notes=(*plain.notes, note), prompt=prompt.version)
        whole, added = completed(kept, plain, _SECTIONS[self._task])
        notes = list(plain.notes)
        if added:
            notes.append(f"Sentences of the template, for what the language model left out: {added}")
        if prompt.left_out:
            notes.append(f"Sentences of cases that did not fit into the prompt: {prompt.left_out}")
        return Draft(self._endpoint.model, whole, dropped, tuple(notes), prompt.version)


def checked(
    sentences: tuple[DraftSentence, ...], evidence: Evidence
) -> tuple[tuple[DraftSentence, ...], tuple[Dropped, ...]]:
    """Return the sentences that the evidence bears, and the others with what is wrong with each.

    What was dropped goes into the log by its faults: its words may be a patient's.
    """
    kept, dropped = [], []
    for sentence in sentences:
        problems = check_sentence(sentence, evidence)
        if problems:
            dropped.append(Dropped(sentence.text, problems))
            _log.warning("a sentence was dropped: %s", "; ".join(each.fault.value for each in problems))
        else:
            kept.append(replace(sentence, probability=_probability(sentence, evidence)))
    return tuple(kept), tuple(dropped)


def completed(
    kept: tuple[DraftSentence, ...], plain: Draft, sections: tuple[Section, ...]
) -> tuple[tuple[DraftSentence, ...], int]:
    """Return the sentences, findings first, with the template's for each finding that they leave out.

    A model that says less than the evidence would hide findings; and where its sentence was dropped, that
    finding would be gone.

    Parameters
    ----------
    kept : tuple of DraftSentence
    plain : Draft
        The template's.
    sections : tuple of Section
        That were asked for; the first one is complete, an impression may be shorter.

    Returns
    -------
    sentences : tuple of DraftSentence
    added : int
        How many of them are the template's.
    """
    added = 0
    whole: list[DraftSentence] = []
    for section in sections:
        said = [sentence for sentence in kept if sentence.section is section]
        complete = section is sections[0] or not said
        known = {pair for sentence in said for pair in _stated(sentence)}
        for sentence in plain.section(section):
            pairs = _stated(sentence)
            if complete and pairs and not pairs <= known:
                said.append(sentence)
                known |= pairs
                added += 1
        whole += said
    return tuple(whole), added


def _stated(sentence: DraftSentence) -> set[tuple[Finding, Region | None]]:
    return {
        (mention.finding, region)
        for one in parse_report(sentence.text).sentences
        for mention in one.mentions
        if mention.assertion is not Assertion.ABSENT
        for region in (mention.regions or (None,))
    }


def _probability(sentence: DraftSentence, evidence: Evidence) -> float | None:
    """Return the least probability of what a sentence states; it is no surer than that."""
    found = [
        vote.probability
        for finding, region in _stated(sentence)
        if (place := evidence.place(region)) is not None and (vote := place.vote(finding)) is not None
    ]
    sure = [probability for probability in found if probability is not None]
    return min(sure) if sure else None
