"""How well ingest takes persons out: names in reports, text in pictures.

Identifiers that were made up are written into texts and pictures, and looked for afterwards: so what is there
is known. Reports are those of the public Indiana University set (`--reports`), which are de-identified
already; pictures are phantoms (synthetic) and, with `--images`, real X-rays.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from recording import Circumstances, hand_over, take_out

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.deid.burnt_in import find_text
from edge_retrieve.runtime.deid.text import scrub
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.reports import parse_report
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.sampling import Split, sample_archive

FAMILY = [
    "Smith",
    "Garcia",
    "Müller",
    "O'Brien",
    "Nakamura",
    "Kowalski",
    "Haddad",
    "Lindqvist",
    "Okafor",
    "van-der-Berg",
    "Small",
    "Long",
]
GIVEN = ["John", "Maria", "Li", "Fatima", "Sven", "Chidi", "Anna-Lena", "Pedro", "Aiko", "Grace"]
# Sentences as reports have them; {name}, {date} and {number} are made up.
SENTENCES = (
    "Patient Name: {family}, {given}.",
    "MRN: {number}",
    "Discussed with Dr. {family} at 3:45 PM on {date}.",
    "Dr {given} {family} was notified by telephone at 555-{four}.",
    "COMPARISON: {date}.",
    "Compared to the study dated {date}, unchanged.",
    "Electronically signed by {given} {family}, MD on {date}.",
    "Dictated by: {given} {family}",
    "Findings were called to {given} {family}, RN.",
    "Mr. {family} presents with cough.",
    "Accession number {number}.",
    "Referring physician: {given} {family}",
    "The patient {given} {family} was seen at St. {family} Hospital.",
    "Prior chest film of {date} is not available.",
    "Call 555-123-{four} with questions.",
    "DOB: {date}",
)
TEXTS = ("DOE^JANE", "Smith, John", "MRN 4471902", "1962-04-11", "ST. MARY HOSPITAL", "PAT ID: 00881-77")
Picture = npt.NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a smoke run")
    parser.add_argument("--reports", type=Path, help="table with the columns findings and impression")
    parser.add_argument("--images", type=Path, help="folder of real X-rays")
    take_out(parser)
    given = parser.parse_args(arguments)
    here = Circumstances.now()
    rng = np.random.default_rng(11)
    answer: dict[str, object] = {}
    texts = list(reports(given.reports)) if given.reports else ["FINDINGS: A nodule in the left apex."] * 20
    answer["reports"] = measure_reports(texts[:20] if given.tiny else texts, rng)
    rendered = list(phantoms(12 if given.tiny else 200))
    answer["phantoms"] = {
        "synthetic": True,
        **measure_alarms(rendered),
        **measure_pictures([pixels for pixels, _ in rendered], rng),
    }
    if given.images:
        files = sorted(path for path in given.images.iterdir() if path.suffix in (".jpg", ".png", ".dcm"))
        answer["real"] = measure_pictures([load_radiograph(path).pixels for path in files], rng)
    hand_over(here, answer, given, json.dumps(answer, indent=2))


def phantoms(studies: int) -> Iterator[tuple[Picture, list[str]]]:
    """Yield rendered phantoms with the texts that the renderer drew on each."""
    drawn: list[str] = []
    real = cv2.putText

    def watched(image: object, text: str, *rest: object) -> object:
        drawn.append(text)
        return real(image, text, *rest)

    cv2.putText = watched
    try:
        for planned in sample_archive(studies, 21, split=Split.TEST):
            drawn.clear()
            image = render(planned.spec, 512)
            low = image.window_center - image.window_width / 2
            shown = np.clip((image.pixels.astype(np.float32) - low) / image.window_width, 0, 1)
            yield shown.astype(np.float32), list(drawn)
    finally:
        cv2.putText = real


def measure_alarms(pictures: Sequence[tuple[Picture, list[str]]]) -> dict[str, object]:
    """Compare what is found with what was drawn: words of four letters and more, beside side markers."""
    bearing = [bool(find_text(pixels)) for pixels, texts in pictures if any(len(t) >= 4 for t in texts)]
    bare = [bool(find_text(pixels)) for pixels, texts in pictures if all(len(t) < 4 for t in texts)]
    return {
        "with_words": len(bearing),
        "words_found": sum(bearing),
        "without_words": len(bare),
        "false_alarms": sum(bare),
    }


def reports(table: Path) -> Iterator[str]:
    with table.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            yield f"FINDINGS: {row['findings']}\nIMPRESSION: {row['impression']}"


def measure_reports(texts: Sequence[str], rng: np.random.Generator) -> dict[str, object]:
    same = kept = 0
    facts = lost = 0
    left: Counter[str] = Counter()
    planted = 0
    for text in texts:
        before, after = stated(text), stated(scrub(text).text)
        same += before == after
        facts += sum(before.values())
        lost += sum(((before - after) + (after - before)).values())
        sentence = str(rng.choice(SENTENCES))
        marks = made_up(rng)
        written = sentence.format(**marks)
        with_name = f"{text}\n{written}"
        cleaned = scrub(with_name).text
        kept += stated(with_name) == stated(cleaned)
        for kind, mark in marks.items():
            if "{" + kind + "}" in sentence:
                planted += 1
                left[sentence] += mark in cleaned.removeprefix(text)
    return {
        "n": len(texts),
        "same_statements": same / len(texts),
        "statements": facts,
        "statements_changed": lost,
        "planted": planted,
        "removed": 1 - sum(left.values()) / max(1, planted),
        "left_in": {sentence: count for sentence, count in left.items() if count},
        "same_statements_with_planted": kept / len(texts),
    }


def made_up(rng: np.random.Generator) -> dict[str, str]:
    year, month, day = (int(rng.integers(*span)) for span in ((1950, 2024), (1, 13), (1, 29)))
    name = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
    forms = (
        f"{month}/{day}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day:02d}.{month:02d}.{year}",
        f"{name[month - 1]} {day}, {year}", f"{day} {name[month - 1][:3]} {year}",
    )  # fmt: skip
    return {
        "family": str(rng.choice(FAMILY)),
        "given": str(rng.choice(GIVEN)),
        "date": str(rng.choice(forms)),
        "number": str(
            rng.choice([str(rng.integers(10**6, 10**8)), f"A-{year}-{rng.integers(10**4, 10**5)}"])
        ),
        "four": str(rng.integers(1000, 10000)),
    }


def stated(text: str) -> Counter[object]:
    return Counter(
        (mention.finding, mention.assertion, mention.regions)
        for sentence in parse_report(text).sentences
        for mention in sentence.mentions
    )


@dataclass(frozen=True)
class Written:
    """A picture with text in it, and the box of its letters."""

    pixels: Picture
    box: Box
    readable: bool


def measure_pictures(pictures: Sequence[Picture], rng: np.random.Generator) -> dict[str, object]:
    found_before = touched = covered = readable = 0
    seconds = []
    for pixels in pictures:
        start = time.perf_counter()
        found_before += bool(find_text(pixels))
        seconds.append(time.perf_counter() - start)
        written = write(pixels, rng)
        if not written.readable:
            continue
        readable += 1
        share = covered_share(written.box, find_text(written.pixels), pixels.shape)
        touched += share > 0.3
        covered += share > 0.9
    return {
        "n": len(pictures),
        "said_to_have_text_as_they_are": found_before,
        "written_on": readable,
        "text_found": touched / max(1, readable),
        "nine_tenths_covered": covered / max(1, readable),
        "median_ms": round(1000 * float(np.median(seconds)), 1),
    }


def write(pixels: Picture, rng: np.random.Generator) -> Written:
    """Write a made-up identifier at the top or the bottom, as modalities and secondary captures do."""
    height, width = pixels.shape
    grey = Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    draw, text = ImageDraw.Draw(grey), str(rng.choice(TEXTS))
    size = float(rng.uniform(0.016, 0.04)) * max(height, width)
    font: Callable[[float], ImageFont.FreeTypeFont] = ImageFont.load_default  # type: ignore[assignment]
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font(size))
    if right > 0.9 * width:
        size *= 0.85 * width / right
        left, top, right, bottom = draw.textbbox((0, 0), text, font=font(size))
    x = float(rng.uniform(2, max(3, width - right - 2)))
    y = float(rng.uniform(0, 0.08) if rng.random() < 0.5 else rng.uniform(0.88, 0.97)) * height
    y = min(y, height - bottom - 2)
    if rng.random() < 0.5:
        draw.rectangle((x - 4, y, x + right + 4, y + bottom + 2), fill=0)
    ink = int(rng.integers(215, 256))
    around = np.asarray(grey)[int(y + top) : int(y + bottom), int(x + left) : int(x + right)]
    # White on white is read by nobody.
    readable = bool(ink - np.median(around) >= 25)
    draw.text((x, y), text, fill=ink, font=font(size))
    box = Box(x + left, y + top, x + right, y + bottom)
    return Written(np.asarray(grey).astype(np.float32) / 255, box, readable)


def covered_share(box: Box, found: Sequence[Box], shape: tuple[int, ...]) -> float:
    mask = np.zeros(shape, bool)
    for each in found:
        mask[int(each.y1) : int(np.ceil(each.y2)), int(each.x1) : int(np.ceil(each.x2))] = True
    return float(mask[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)].mean())


if __name__ == "__main__":
    main()
