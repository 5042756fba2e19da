"""``edge-retrieve ground``: where on an image a report or a phrase is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, say
from edge_retrieve.edge_app.cli.evaluating import model_encoder
from edge_retrieve.edge_app.cli.options import MODEL_SETTINGS, bundle_option, json_option, setting_options
from edge_retrieve.edge_app.wire import Json, box_edges
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.grounding.overlay import overlay_png
from edge_retrieve.runtime.grounding.report import GroundedSentence, Grounding, ground_text
from edge_retrieve.runtime.preprocess import load_radiograph


@click.command()
@click.argument("image", metavar="IMAGE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--text", metavar="T", help="A phrase or a report.")
@click.option(
    "--report",
    "report_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A report, in place of --text.",
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the image with maps and boxes (PNG), and the maps (JSON), here.",
)
@bundle_option
@setting_options(*MODEL_SETTINGS)
@json_option
def ground(
    image: Path,
    text: str | None,
    report_path: Path | None,
    out: Path | None,
    bundle_path: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Find on an X-ray what a report says, sentence by sentence.

    A sentence that denies a finding, or speaks of none, is nowhere.
    """
    words = _words(text, report_path)
    radiograph = load_radiograph(image)
    with model_encoder(bundle_path, **model) as encoder:
        grounding = ground_text(encoder, encoder.encode_image(radiograph.pixels), words)
    if out is not None:
        _write(out, image.stem, overlay_png(radiograph.pixels, grounding), grounding)
    if as_json:
        print_json(grounding_json(grounding))
        return
    for sentence in grounding.sentences:
        answers().print(_line(sentence), soft_wrap=True)


def grounding_json(grounding: Grounding, *, maps: bool = False) -> Json:
    """Return where the sentences of a text are.

    Parameters
    ----------
    grounding : Grounding
    maps : bool
        With the maps' values, row by row.
    """
    return {
        "width": grounding.width,
        "height": grounding.height,
        "sentences": [_sentence(sentence, maps) for sentence in grounding.sentences],
    }


def _sentence(sentence: GroundedSentence, maps: bool) -> Json:
    found = sentence.map
    row: Json = {
        "text": sentence.text,
        "section": sentence.section.value,
        "ground": sentence.ground.name.lower(),
        "findings": [finding.value for finding in sentence.findings],
        "regions": [region.value for region in sentence.regions],
        "peak": None if found is None else round(found.peak, 4),
        "boxes": [{"box": box_edges(box), "value": round(value, 4)} for box, value in sentence.boxes],
        "attribution": [
            {"region": each.region.value, "share": round(each.share, 4), "named": each.named}
            for each in sentence.attribution
        ],
    }
    if maps:
        row["map"] = None if found is None else [[round(float(v), 3) for v in line] for line in found.values]
    return row


def _words(text: str | None, report: Path | None) -> str:
    if (text is None) == (report is None):
        raise QueryError("there is no text, or there are two", remedy="Give --text or --report")
    if text is None and report is not None:
        try:
            text = report.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise QueryError(
                f"the report cannot be read ({error})", where=str(report), remedy="Give a text file"
            ) from error
    if not text or not text.strip():
        raise QueryError("the text is empty", remedy="Write a phrase or a report")
    return text


def _line(sentence: GroundedSentence) -> str:
    if not sentence.boxes:
        return f"{sentence.text} [{sentence.ground.value}]"
    boxes = "; ".join(
        f"{','.join(f'{edge:.0f}' for edge in box.as_tuple())} ({value:.0%})" for box, value in sentence.boxes
    )
    where = ", ".join(each.region.value for each in sentence.attribution)
    return f"{sentence.text} [{boxes}; {where}]"


def _write(folder: Path, name: str, picture: bytes, grounding: Grounding) -> None:
    paths = folder / f"{name}.png", folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths[0].write_bytes(picture)
        paths[1].write_text(json.dumps(grounding_json(grounding, maps=True)) + "\n", encoding="utf-8")
    except OSError as error:
        raise QueryError(
            f"the grounding cannot be written ({error.strerror})",
            where=str(folder),
            remedy="Name a folder that can be written to",
        ) from error
    for path in paths:
        say(f"Written: {path}")
