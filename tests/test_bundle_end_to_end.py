"""From a training run to a served answer: the hits are those the checkpoint itself would give."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from edge_retrieve.edge_app.cli import main
from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.train.checkpoint import load_trained
from edge_retrieve.train.phantom.contact import windowed
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.sampling import sample_archive

SIDE = 128
STUDIES = 12
REGION = Region.RIGHT_LUNG
CONFIG = {
    "batch": 4,
    "ema_decay": 0.9,
    "data": {"studies": 8, "validation_studies": 4},
    "stages": [{"name": "align", "epochs": 60, "learning_rate": 0.003}],
    "model": {
        "image_size": SIDE, "widths": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "feature_channels": 16,
        "salience_heads": 4, "projection_width": 16, "embedding_dim": 16, "text_width": 16,
        "text_layers": 1, "text_heads": 2, "max_text_tokens": 32,
    },
}  # fmt: skip


# Hardly trained, so that which ten cases are nearest hangs on a rounding.
ONLY = ("--forms", "fp32", "--overlap-studies", 0)


def run(*arguments: object) -> dict[str, object]:
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def pictures() -> list[np.ndarray]:
    """Return pictures as unlike each other as can be, so that even a hardly trained model tells them apart.

    Phantoms as they are, negative, upside down and on their side; clouds, noise and stripes: `STUDIES`
    arrays of uint8, shape [SIDE, SIDE].
    """
    generator = np.random.default_rng(0)
    phantoms = [windowed(render(planned.spec, SIDE)) for planned in sample_archive(8, 5)]
    clouds = [
        np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        for coarse in generator.integers(0, 256, (2, 6, 6), dtype=np.uint8)
    ]
    noise = generator.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    stripes = (40 + np.indices((SIDE, SIDE)).sum(axis=0) // 16 % 2 * 150).astype(np.uint8)
    turned = [255 - phantoms[4], 255 - phantoms[5], phantoms[6][::-1], np.rot90(phantoms[7])]
    return [*phantoms[:4], *map(np.ascontiguousarray, turned), *clouds, noise, stripes]


@contextmanager
def served(*arguments: object) -> Iterator[str]:
    """The address of a server, which runs while the block does."""
    command = [
        sys.executable,
        "-c",
        "from edge_retrieve.edge_app.cli import main; main()",
        "serve",
        "--port",
        "0",
    ]
    with subprocess.Popen([*command, *map(str, arguments)], stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if found := re.search(r"http://\S+", line):
                    yield found.group()
                    break
            else:
                pytest.fail("the server ended before it listened")
        finally:
            process.terminate()


@pytest.mark.slow
def test_the_served_hits_are_the_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"out": str(tmp_path / "run"), **CONFIG}))
    checkpoint = run("train", config)["checkpoint"]
    keys = run("bundle", "keygen", tmp_path / "keys", "--name", "maker")
    run("export", "onnx", checkpoint, "--out", tmp_path / "model", "--key", keys["private"], *ONLY)
    packed = run("bundle", "pack", tmp_path / "model")
    trusted = ("--bundle", packed["path"], "--trusted-keys", keys["public"])
    verified = run("bundle", "verify", packed["path"], "--trusted-keys", keys["public"])
    assert verified["signed_by"] == "maker"

    archive = tmp_path / "archive"
    archive.mkdir()
    shown = pictures()
    for number, pixels in enumerate(shown):
        Image.fromarray(pixels).save(archive / f"case{number}.png")
    # Noise, in which one might read letters.
    run("ingest", archive, "--store", tmp_path / "store", *trusted, "--keep-identities")
    asked = np.round(255 * (shown[0] / 255) ** 0.8).astype(np.uint8)
    Image.fromarray(asked).save(tmp_path / "asked.png")
    with (
        served("--store", tmp_path / "store", *trusted) as address,
        urllib.request.urlopen(upload(f"{address}api/query", tmp_path / "asked.png")) as response,
    ):
        answer = json.load(response)

    model = load_trained(Path(str(checkpoint))).model
    with torch.no_grad():
        pixels = torch.from_numpy(np.stack([*shown, asked])).float()[:, None] / 255
        image = model.encode_image(pixels)
        regions = model.encode_regions(image.features, image.boxes)[:, REGION.position].numpy()
    # What the region usually looks like is taken off the query by half, as `runtime.search` documents.
    usual = regions[:-1].sum(axis=0) / (STUDIES + 50)
    cosines = regions[:-1] @ (regions[-1] - 0.5 * usual)
    order = np.argsort(-cosines, kind="stable")
    assert cosines[order[0]] - cosines[order[-1]] > 0.005, "every case looks alike to this model"
    scores = [hit["score"] for hit in answer["hits"]]
    np.testing.assert_allclose(scores, cosines[order], atol=2e-4)
    # Where two cosines are nearer than the graphs' float16 weights tell, either order is right.
    numbers = {load_radiograph(archive / f"case{n}.png").study: n for n in range(STUDIES)}
    found = [numbers[hit["study"]] for hit in answer["hits"]]
    np.testing.assert_allclose(cosines[found], cosines[order], atol=2e-4)
    assert sorted(found) == list(range(STUDIES))


def upload(address: str, image: Path) -> urllib.request.Request:
    """A query by image and region as a form (RFC 7578)."""
    fields = {"regions": REGION.value, "k": str(STUDIES)}
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode()
        for n, v in fields.items()
    ]
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="asked.png"\r\n\r\n'
    body = b"".join(parts) + head + image.read_bytes() + b"\r\n--x--\r\n"
    return urllib.request.Request(address, body, {"Content-Type": "multipart/form-data; boundary=x"})
