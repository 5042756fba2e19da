"""The server in a container: a compose file and the file its image is built from."""

from __future__ import annotations

import json
from pathlib import Path

from edge_retrieve.edge_app.deploy.serving import Serving
from edge_retrieve.edge_app.deploy.templating import fill
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.runtime.errors import ConfigError

COMPOSE_NAME = "compose.yaml"
IMAGE_NAME = "Dockerfile"
BASE_IMAGE = "python:3.11-slim-bookworm"

_DATA, _BUNDLE = "/data", "/bundle"


def compose_files(serving: Serving, *, publish: str, version: str, base: str = BASE_IMAGE) -> dict[str, str]:
    """Return the compose file and the Dockerfile, by file name.

    Inside, the folder with the store is ``/data`` and the bundle ``/bundle``, whatever they are called
    outside; other files and folders keep their paths. The server listens on every address of the container,
    because only so can its ports be published.

    Parameters
    ----------
    serving : Serving
    publish : str
        Address of the machine on which the ports are published.
    version : str
        Of this package; the image's tag.
    base : str
        Image to build on: with Python and its module venv.

    Raises
    ------
    ConfigError
        Where a path depends on the current folder, the store's folder lies in the root of the file system,
        the image's name is none, or the server is to call another one.
    """
    serving.require_whole_paths()
    if serving.store.parent == serving.store.parent.parent:
        raise ConfigError(
            "the container would be given the whole file system",
            where=f"--store {serving.store}",
            remedy="Put the store into a folder of its own, such as /srv/edge/data/store",
        )
    if not base or any(letter.isspace() for letter in base):
        raise ConfigError(
            f"{base!r} is no name of an image", where="--base", remedy=f"Write it as in {BASE_IMAGE}"
        )
    for option, host in serving.partners:
        raise ConfigError(
            f"the server is to call {host}, and nothing reaches out of its container",
            where=option,
            remedy="Leave it out, or run the server as a systemd service",
        )
    settings = serving.settings
    own = {"--store": f"{_DATA}/{serving.store.name}", "--host": "0.0.0.0"}
    mounts = [f"{serving.store.parent}:{_DATA}", *(f"{path}:{path}" for _, path in serving.written)]
    for option, path in serving.read:
        mounts.append(f"{path}:{_BUNDLE if option == '--bundle' else path}:ro")
    if serving.bundle:
        own["--bundle"] = _BUNDLE
    if settings.dicom_port:
        own["--dicom-host"] = "0.0.0.0"
    command = ["serve", *_replaced(serving.arguments, own)]
    host = f"[{publish}]" if ":" in publish else publish
    return {
        COMPOSE_NAME: fill(
            COMPOSE_NAME,
            version=version,
            command=json.dumps(command),
            stop_seconds=serving.stop_seconds,
            ports=_listed([f"{host}:{port}:{port}" for port in serving.ports]),
            volumes=_listed(mounts),
            health=json.dumps(_health(settings)),
        ),
        IMAGE_NAME: fill(IMAGE_NAME, base=base),
    }


def own_folders(serving: Serving) -> tuple[Path, ...]:
    """Return the folders that the container's user writes to, and therefore has to own."""
    return (serving.store, serving.store.parent / "cache", *(path for _, path in serving.written))


def _listed(words: list[str]) -> str:
    return "\n".join(f"      - {json.dumps(word)}" for word in words)


def _health(settings: ServerSettings) -> str:
    """Return Python that ends well where the server is ready."""
    scheme = "https" if settings.tls_cert else "http"
    address = f"{scheme}://127.0.0.1:{settings.port}{settings.root_path}/readyz"
    # It asks itself, under a name that no certificate has.
    return (
        "import ssl, urllib.request as u; c = ssl.create_default_context(); c.check_hostname = False; "
        f"c.verify_mode = ssl.CERT_NONE; u.urlopen('{address}', timeout=4, context=c)"
    )


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
