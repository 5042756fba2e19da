"""``edge-retrieve ground``: where on an image a report or a phrase is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, say
from edge_retrieve.edge_app.cli.evaluating import model_encoder
from edge_retrieve.edge_app.cli.group import named_extras
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    bundle_option,
    json_option,
    server_option,
    setting_options,
    token_option,
)
from edge_retrieve.edge_app.cli.remote import open_client, refuse_options
from edge_retrieve.edge_app.client import Client
from edge_retrieve.edge_app.grounding import grounding_json, grounding_of, grounding_shape
from edge_retrieve.edge_app.outputs.origin import origin_of_model
from edge_retrieve.edge_app.shapes import GroundedText, UploadShape
from edge_retrieve.edge_app.wire import box_edges
from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import MissingExtraError, OutputError, QueryError, reason_of
from edge_retrieve.runtime.grounding.overlay import Correspondence, correspondences, overlay_png, pair_png
from edge_retrieve.runtime.grounding.report import GroundedSentence, Grounding, ground_text
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.preprocess.types import FloatImage
from edge_retrieve.runtime.store import Store
from edge_retrieve.runtime.stored_picture import read_preview


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
    "--beside",
    metavar="IMAGE|STUDY",
    help="A second image, or a study of --store, to look at for the same text, region by region.",
)
@click.option(
    "--store",
    "store_path",
    metavar="D",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the case store that holds the study.",
)
@server_option
@token_option
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write pictures with maps and boxes (PNG), the maps (JSON), and a DICOM presentation state here.",
)
@bundle_option
@setting_options(*MODEL_SETTINGS)
@json_option
def ground(
    image: Path,
    text: str | None,
    report_path: Path | None,
    beside: str | None,
    store_path: Path | None,
    server: str | None,
    token_file: Path | None,
    out: Path | None,
    bundle_path: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Find on an X-ray what a report says, sentence by sentence.

    A sentence that denies a finding, or speaks of none, is nowhere.
    """
    if server is not None:
        refuse_options("store_path", "bundle_path", *MODEL_SETTINGS)
    elif token_file is not None:
        raise click.UsageError("A token is for a server: give --token-file with --server.")
    words = _words(text, report_path)
    if server is not None:
        with open_client(server, token_file) as client:
            seen = _ask(client, image, beside, words)
    else:
        with model_encoder(bundle_path, **model) as encoder:
            seen = _look(encoder, image, beside, store_path, words)
    groundings = [grounding_of(shape) for shape in seen.found]
    document = grounding_json(seen.found[0])
    pairs: tuple[Correspondence, ...] = ()
    if beside is not None:
        boxes = [[Box(*edges) for edges in shape.region_boxes] for shape in seen.found]
        pairs = correspondences(_shown_regions(groundings[0]), *boxes)
        document["beside"] = grounding_json(seen.found[1])
        document["correspondences"] = [
            {"region": pair.region.value, "first": box_edges(pair.first), "second": box_edges(pair.second)}
            for pair in pairs
        ]
    if out is not None:
        _write(out / f"{image.stem}.png", overlay_png(seen.pixels[0], groundings[0]))
        maps = json.dumps(grounding_json(seen.found[0], maps=True)) + "\n"
        _write(out / f"{image.stem}.json", maps.encode())
        _write_state(image, groundings[0], seen, out / f"{image.stem}-gsps.dcm")
        if beside is not None:
            _write(out / f"{image.stem}-beside.png", pair_png(seen.pixels[0], seen.pixels[1], pairs))
    if as_json:
        print_json(document)
        return
    for n, grounding in enumerate(groundings):
        if n:
            answers().print(f"{beside}:", soft_wrap=True)
        for sentence in grounding.sentences:
            answers().print(_line(sentence), soft_wrap=True)
        if not grounding.sentences:
            say("The text has no sentence to look for.")


@dataclass(frozen=True)
class _Seen:
    """One image or two, where the sentences are on each, and the model that says so."""

    pixels: list[FloatImage]
    found: list[GroundedText]
    model_id: str
    bundle_id: str


def _look(encoder: Encoder, image: Path, beside: str | None, store_path: Path | None, words: str) -> _Seen:
    pixels = [load_radiograph(image).pixels]
    if beside is not None:
        pixels.append(_second(beside, store_path))
    encodings = [encoder.encode_image(each) for each in pixels]
    found = [
        grounding_shape(ground_text(encoder, encoding, words), encoding.boxes, maps=True)
        for encoding in encodings
    ]
    return _Seen(pixels, found, encoder.bundle.manifest.model_id, encoder.bundle.bundle_id)


def _ask(client: Client, image: Path, beside: str | None, words: str) -> _Seen:
    pixels = [load_radiograph(image).pixels]
    images: list[str | UploadShape] = [client.encode(image)]
    if beside is not None and Path(beside).is_file():
        pixels.append(load_radiograph(Path(beside)).pixels)
        images.append(client.encode(Path(beside)))
    elif beside is not None:
        pixels.append(read_preview(client.image(beside)))
        images.append(beside)
    found = [client.ground_report(each, words, maps=True) for each in images]
    model = client.archive().model
    return _Seen(pixels, found, model.id, model.bundle)


def _words(text: str | None, report: Path | None) -> str:
    if (text is None) == (report is None):
        raise QueryError("there is no text, or there are two", remedy="Give --text or --report")
    if text is None and report is not None:
        try:
            text = report.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise QueryError(
                f"the report cannot be read ({reason_of(error)})",
                where=str(report),
                remedy="Give a text file",
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


def _second(beside: str, store_path: Path | None) -> FloatImage:
    """Return the pixels of a file, or of a study's picture."""
    if Path(beside).is_file():
        return load_radiograph(Path(beside)).pixels
    if store_path is None:
        raise QueryError(
            f"'{beside}' is no file", where="--beside", remedy="Give an image file, or a study and --store"
        )
    with Store.open(store_path) as store:
        return read_preview(store.preview(beside))


def _shown_regions(grounding: Grounding) -> tuple[Region, ...]:
    """Return the regions that the sentences which are seen name, or else lie in."""
    found: dict[Region, None] = {}
    for sentence in grounding.seen:
        named = sentence.regions or tuple(each.region for each in sentence.attribution[:1])
        found.update(dict.fromkeys(named))
    return tuple(found)


def _write_state(image: Path, grounding: Grounding, seen: _Seen, path: Path) -> None:
    """Write a presentation state for the PACS, or say why there is none."""
    try:
        with named_extras("dicom"):
            from edge_retrieve.edge_app.outputs.presentation import grounding_state
            from edge_retrieve.edge_app.outputs.source import read_source
        source = read_source(image)
        state = grounding_state(
            source, grounding, origin_of_model(seen.model_id, seen.bundle_id), datetime.now()
        )
    except (OutputError, MissingExtraError) as error:
        say(f"No presentation state: {error}")
        return
    _write(path, state.data)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise QueryError(
            f"the grounding cannot be written ({error.strerror})",
            where=str(path.parent),
            remedy="Name a folder that can be written to",
        ) from error
    say(f"Written: {path}")
