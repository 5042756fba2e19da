"""Evidence and drafts as plain text, for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator

from edge_retrieve.runtime.explain.counterfactual import Change
from edge_retrieve.runtime.explain.draft import PRELIMINARY, Draft, DraftSentence
from edge_retrieve.runtime.explain.evidence import Evidence, Neighbour, PlaceEvidence, Vote
from edge_retrieve.runtime.reports.types import Section

_SHOWN_CASES = 3


def evidence_text(evidence: Evidence) -> str:
    """Return the evidence, place by place; places with nothing to say of come together at the end."""
    lines: list[str] = []
    quiet: dict[str, list[str]] = {}
    for place in evidence.places:
        if evidence.survey and not place.stated and not place.possible:
            reason = place.silence.value if place.silence else "no finding is likely"
            quiet.setdefault(reason, []).append(place.name)
        else:
            lines += [*_place(place), ""]
    for reason, names in quiet.items():
        where = "all regions" if len(names) == len(evidence.places) else ", ".join(names)
        lines.append(f"Nothing stated ({reason}): {where}")
    lines.append(trust(evidence))
    return "\n".join(lines).rstrip() + "\n"


def trust(evidence: Evidence) -> str:
    """Return what the probabilities of votes rest on."""
    if not evidence.calibrated:
        return "Votes are not calibrated: how sure they make is not known for such a query and bundle."
    return f"What votes are worth was fitted on {evidence.fitted_on}."


def draft_text(draft: Draft) -> str:
    """Return a draft with its mark, its citations and the list of cited cases."""
    numbers = {study: number for number, study in enumerate(draft.cases(), 1)}
    lines = [PRELIMINARY, ""]
    for section in (Section.FINDINGS, Section.IMPRESSION):
        sentences = draft.section(section)
        if sentences:
            lines += [f"{section.name}:", *(f"  {_cited(each, numbers)}" for each in sentences), ""]
    lines += [f"[{number}] {study}" for study, number in numbers.items()]
    lines += [f"Dropped: {each.text} ({each.problems[0].fault.value})" for each in draft.dropped]
    lines += [f"Note: {note}" for note in draft.notes]
    return "\n".join(lines).rstrip() + f"\n\n{PRELIMINARY}\n"


def changes_text(changes: tuple[Change, ...]) -> str:
    """Return what changes when regions are altered, a line each."""
    return "".join(f"{_change(change)}\n" for change in changes)


def percent(probability: float | None) -> str:
    """Return a probability in whole per cent, a dash where it is not known."""
    return "-" if probability is None else f"{probability:.0%}"


def _change(change: Change) -> str:
    before, after = (finding.value if finding else "nothing" for finding in (change.before, change.after))
    return (
        f"{change.region.value} {change.kind.value}: {before} ({percent(change.probability_before)}) becomes "
        f"{after} ({percent(change.probability_after)}); {len(change.lost)} of {change.compared} cases change"
    )


def _place(place: PlaceEvidence) -> Iterator[str]:
    yield place.name.upper()
    if place.silence is not None:
        yield f"  nothing is stated: {place.silence.value}"
    for vote in place.votes:
        yield from _vote(vote)
    if place.sides is not None:
        sides = place.sides
        leaders = (each.value if each else "nothing" for each in (sides.image_leader, sides.text_leader))
        said = "agree" if sides.agree else "disagree"
        yield (
            f"  images and reports {said}: {' and '.join(leaders)}; "
            f"{sides.shared} of {sides.compared} cases are the same"
        )
    for finding, neighbour in place.rare:
        yield f"  rare, nearest case: {finding.value} in {_case(neighbour)}"


def _vote(vote: Vote) -> Iterator[str]:
    yield (
        f"  {vote.finding.value}: {percent(vote.probability)} "
        f"(share {vote.share:.2f}, archive {vote.base_rate:.3f}, beyond chance {vote.beyond_chance:+.2f})"
    )
    for each in vote.supporters[:_SHOWN_CASES]:
        yield f"    for: {_case(each)}"
    if len(vote.supporters) > _SHOWN_CASES:
        yield f"    for: {len(vote.supporters) - _SHOWN_CASES} more"
    if vote.against is not None:
        yield f"    nearest without: {_case(vote.against)}"


def _case(neighbour: Neighbour) -> str:
    said = f": {neighbour.sentences[0]}" if neighbour.sentences else ""
    return f"#{neighbour.rank} {neighbour.study} ({percent(neighbour.probability)}){said}"


def _cited(sentence: DraftSentence, numbers: dict[str, int]) -> str:
    cited = [str(numbers[study]) for study in sentence.cases]
    boxes = [region.value for region in sentence.boxes]
    if len(boxes) > _SHOWN_CASES:
        boxes = [f"{len(boxes)} regions"]
    parts = [f"[{', '.join(cited)}]"] if cited else []
    parts += [f"[box: {', '.join(boxes)}]"] if boxes else []
    return f"{sentence.text} {' '.join(parts)}"
