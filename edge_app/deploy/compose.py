"""The server in a container: a compose file and the file its image is built from."""

from __future__ import annotations

import json

from edge_retrieve.edge_app.deploy.serving import Serving
from edge_retrieve.edge_app.deploy.templating import fill

COMPOSE_NAME = "compose.yaml"
IMAGE_NAME = "Dockerfile"
BASE_IMAGE = "python:3.11-slim-bookworm"

_DATA, _BUNDLE = "/data", "/bundle"


def compose_files(serving: Serving, *, publish: str, version: str, base: str = BASE_IMAGE) -> dict[str, str]:
    """Return the compose file and the Dockerfile, by file name.

    Inside, the store is ``/data/store`` and the bundle ``/bundle``, whatever they are called outside, and the
    server listens on every address of the container, because only so can its port be published.

    Parameters
    ----------
    serving : Serving
    publish : str
        Address of the machine on which the port is published.
    version : str
        Of this package; the image's tag.
    base : str
        Image to build on: with Python and its module venv.
    """
    bundle = serving.bundle
    volumes = [f"{serving.store.parent}:{_DATA}", *([f"{bundle}:{_BUNDLE}:ro"] if bundle else [])]
    own = {"--store": f"{_DATA}/{serving.store.name}", "--host": "0.0.0.0"}
    if bundle:
        own["--bundle"] = _BUNDLE
    command = ["serve", *_replaced(serving.arguments, own)]
    host = f"[{publish}]" if ":" in publish else publish
    return {
        COMPOSE_NAME: fill(
            COMPOSE_NAME,
            version=version,
            command=json.dumps(command),
            stop_seconds=serving.stop_seconds,
            publish=f"{host}:{serving.port}:{serving.port}",
            volumes="\n".join(f"      - {json.dumps(volume)}" for volume in volumes),
            readyz=f"http://127.0.0.1:{serving.port}{serving.root_path}/readyz",
        ),
        IMAGE_NAME: fill(IMAGE_NAME, base=base),
    }


def _replaced(arguments: tuple[str, ...], own: dict[str, str]) -> list[str]:
    """Return the arguments with the values of some options replaced, and those options added that lack."""
    words: list[str] = []
    given = iter(arguments)
    for word in given:
        option, equals, _ = word.partition("=")
        if option in own:
            if not equals:
                next(given)
            continue
        words.append(word)
    return [word for pair in own.items() for word in pair] + words
