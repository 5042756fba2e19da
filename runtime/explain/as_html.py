"""Evidence and a draft as one self-contained web page, with the pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.explain.as_text import changes_text, percent, trust
from edge_retrieve.runtime.explain.counterfactual import Change
from edge_retrieve.runtime.explain.draft import PRELIMINARY, Draft
from edge_retrieve.runtime.explain.evidence import Evidence, Neighbour, PlaceEvidence, Vote
from edge_retrieve.runtime.reports.types import Section

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  background: #101418; color: #e8ecf0 }
h1 { font-size: 1.3rem } h2 { font-size: 1.1rem; border-top: 1px solid #3a444e; padding-top: 1rem }
.mark { background: #ffd24d; color: #201800; font-weight: 700; padding: .4rem .8rem }
.cases { display: flex; flex-wrap: wrap; gap: .8rem } figure { margin: 0; width: 15rem }
svg { width: 100%; height: auto; background: #000 } rect { fill: none; stroke: #ffd24d; stroke-width: .6% }
figcaption { font-size: .85rem; overflow-wrap: anywhere } table { border-collapse: collapse }
td, th { text-align: left; padding: .15rem .9rem .15rem 0; font-variant-numeric: tabular-nums }
.quiet { color: #a9b4bf }
footer { margin-top: 2rem; padding-top: .8rem; border-top: 1px solid #3a444e; color: #a9b4bf }
"""
_SHOWN_CASES = 4


@dataclass(frozen=True)
class Picture:
    """A picture to show.

    Parameters
    ----------
    png : bytes
    width, height : int
        Of the image that boxes are given in, pixels; the picture itself may be smaller.
    """

    png: bytes
    width: int
    height: int


def explanation_html(
    evidence: Evidence,
    draft: Draft,
    *,
    title: str,
    own: Picture | None = None,
    pictures: Mapping[str, Picture] | None = None,
    changes: Sequence[Change] = (),
    foot: Sequence[str] = (),
) -> str:
    """Return the page.

    Parameters
    ----------
    evidence : Evidence
    draft : Draft
    title : str
        Such as the query image's name.
    own : Picture, optional
        The query's image.
    pictures : mapping of str to Picture, optional
        Of the cases, by study.
    changes : sequence of Change
        Counterfactuals.
    foot : sequence of str
        What stands below: what it is not, and which model and archive answered.
    """
    body = [
        f"<h1>{escape(title)}</h1>",
        *_draft(draft),
        *(part for place in evidence.places for part in _place(place, evidence, own, pictures or {})),
    ]
    if changes:
        lines = "<br>".join(escape(line) for line in changes_text(tuple(changes)).splitlines())
        body.append(f"<h2>If a region looked otherwise</h2><p>{lines}</p>")
    body.append(f'<p class="quiet">{escape(trust(evidence))}</p>')
    if foot:
        body.append(f"<footer>{'<br>'.join(map(escape, foot))}</footer>")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _draft(draft: Draft) -> Iterator[str]:
    numbers = {study: number for number, study in enumerate(draft.cases(), 1)}
    yield f'<p class="mark">{escape(PRELIMINARY)}</p>'
    for section in (Section.FINDINGS, Section.IMPRESSION):
        sentences = draft.section(section)
        if sentences:
            yield f"<h2>{section.value.capitalize()}</h2><ul>"
            for each in sentences:
                cited = " ".join(f"[{numbers[study]}]" for study in each.cases)
                where = ", ".join(region.value for region in each.boxes[:_SHOWN_CASES])
                boxes = f" [box: {escape(where)}{' …' if len(each.boxes) > _SHOWN_CASES else ''}]"
                yield f"<li>{escape(each.text)} {cited}{boxes if each.boxes else ''}</li>"
            yield "</ul>"
    if numbers:
        yield "<p>" + "<br>".join(f"[{n}] {escape(study)}" for study, n in numbers.items()) + "</p>"
    for dropped in draft.dropped:
        yield f'<p class="quiet">Dropped: {escape(dropped.text)} ({dropped.problems[0].fault.value})</p>'
    for note in draft.notes:
        yield f'<p class="quiet">{escape(note)}</p>'


def _place(
    place: PlaceEvidence, evidence: Evidence, own: Picture | None, pictures: Mapping[str, Picture]
) -> Iterator[str]:
    if evidence.survey and not place.stated and not place.possible:
        return
    yield f"<h2>{escape(place.name)}</h2>"
    if place.silence is not None:
        yield f'<p class="quiet">Nothing is stated: {escape(place.silence.value)}.</p>'
    if place.votes:
        rows = "".join(_row(vote) for vote in place.votes)
        yield (
            "<table><tr><th>finding</th><th>probability</th><th>share</th><th>archive</th>"
            f"<th>beyond chance</th><th>cases</th></tr>{rows}</table>"
        )
    shown = [_figure("this image", own, place.drawn or place.box)] if own is not None else []
    leading = place.votes[0] if place.votes else None
    for each in (leading.supporters if leading else place.neighbours)[:_SHOWN_CASES]:
        shown.append(_figure(_caption(each), pictures.get(each.study), each.box))
    if leading is not None and leading.against is not None:
        against = leading.against
        shown.append(_figure(f"without it: {_caption(against)}", pictures.get(against.study), against.box))
    for finding, each in place.rare:
        shown.append(_figure(f"rare, {finding.value}: {_caption(each)}", pictures.get(each.study), each.box))
    yield f'<div class="cases">{"".join(shown)}</div>'


def _row(vote: Vote) -> str:
    return (
        f"<tr><td>{escape(vote.finding.value)}</td><td>{percent(vote.probability)}</td>"
        f"<td>{vote.share:.2f}</td><td>{vote.base_rate:.3f}</td><td>{vote.beyond_chance:+.2f}</td>"
        f"<td>{len(vote.supporters)}</td></tr>"
    )


def _caption(neighbour: Neighbour) -> str:
    said = f": {neighbour.sentences[0]}" if neighbour.sentences else ""
    return f"#{neighbour.rank} {neighbour.study}, {percent(neighbour.probability)}{said}"


def _figure(caption: str, picture: Picture | None, box: Box | None) -> str:
    drawn = ""
    if picture is not None:
        data = base64.b64encode(picture.png).decode()
        frame = ""
        if box is not None:
            place = f'x="{box.x1:.1f}" y="{box.y1:.1f}"'
            frame = f'<rect {place} width="{box.width:.1f}" height="{box.height:.1f}"/>'
        drawn = (
            f'<svg viewBox="0 0 {picture.width} {picture.height}" role="img">'
            f'<image href="data:image/png;base64,{data}" width="{picture.width}" height="{picture.height}" '
            f'preserveAspectRatio="none"/>{frame}</svg>'
        )
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"
