"""The cache of decoded images: resumable, keyed by file, and never stopped by a bad one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_retrieve.runtime.errors import DataSetError
from edge_retrieve.runtime.preprocess import letterbox, load_radiograph
from edge_retrieve.train.datasets import decoded
from edge_retrieve.train.datasets.decoded import DecodedCache

SIZE = 32
Make = Callable[..., Path]


def expected(path: Path) -> np.ndarray:
    square, _ = letterbox(load_radiograph(path).pixels, SIZE)
    return np.rint(square[0] * 255).astype(np.uint8)


def test_images_come_back_as_the_runtime_sees_them(tmp_path: Path, picture: Make) -> None:
    paths = [picture(tmp_path / f"{n}.png", 90 + n, 120, seed=n) for n in range(5)]
    with DecodedCache(tmp_path / "cache", SIZE) as cache:
        images = [cache.add(path) for path in paths]
        rows = np.array([image.row for image in images])[[3, 0, 3]]
        pixels = cache.pixels(rows)
        assert len(pixels) == 3
        for n, path in enumerate((paths[3], paths[0], paths[3])):
            np.testing.assert_array_equal(pixels[n], expected(path))
    assert [(image.width, image.height) for image in images[:2]] == [(90, 120), (91, 120)]


def test_a_second_run_decodes_nothing_and_a_changed_file_again(
    tmp_path: Path, picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = picture(tmp_path / "a.png", seed=1)
    with DecodedCache(tmp_path / "cache", SIZE) as cache:
        first = cache.add(path)
        assert cache.add(path) == first
    read: list[Path] = []

    def counted(path: Path) -> object:
        read.append(path)
        return load_radiograph(path)

    monkeypatch.setattr(decoded, "load_radiograph", counted)
    with DecodedCache(tmp_path / "cache", SIZE) as cache:
        assert cache.add(path) == first
        assert read == []
        picture(path, seed=2)
        os.utime(path, ns=(1, 1))
        again = cache.add(path)
        assert read == [path]
        np.testing.assert_array_equal(cache.pixels(np.array([again.row]))[0], expected(path))


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, picture: Make) -> None:
    paths = [picture(tmp_path / f"{n}.png", seed=n) for n in range(4)]
    cache = DecodedCache(tmp_path / "cache", SIZE)
    cache.add(paths[0])
    cache.flush()
    cache.add(paths[1])
    cache._stream.write(b"half a row")  # the next image, torn
    cache._opened.close()  # what the kernel does for a process that died
    with DecodedCache(tmp_path / "cache", SIZE) as later:
        assert len(later) == 1
        rows = np.array([later.add(path).row for path in paths])
        assert rows.tolist() == [0, 1, 2, 3]
        for n, path in enumerate(paths):
            np.testing.assert_array_equal(later.pixels(rows)[n], expected(path))


def test_bad_files_are_told_of_and_not_tried_twice(tmp_path: Path, picture: Make) -> None:
    (tmp_path / "cut.png").write_bytes(picture(tmp_path / "a.png").read_bytes()[:200])
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "blank.png")
    for _ in range(2):
        with DecodedCache(tmp_path / "cache", SIZE) as cache:
            told = [cache.add(tmp_path / name) for name in ("cut.png", "text.png", "blank.png", "gone.png")]
            assert [image.row for image in told] == [-1] * 4
            assert "truncated" in told[0].reason
            assert "neither DICOM, PNG nor JPEG" in told[1].reason
            assert "the same value" in told[2].reason
            assert "no such file" in told[3].reason
            assert len(cache) == 0
            assert len(cache.pixels(np.zeros(0, dtype=np.int64))) == 0


def test_a_shortened_cache_is_refused(tmp_path: Path, picture: Make) -> None:
    with DecodedCache(tmp_path / "cache", SIZE) as cache:
        cache.add(picture(tmp_path / "a.png"))
    os.truncate(next((tmp_path / "cache").glob("*.u8")), 100)
    with pytest.raises(DataSetError, match="it holds 0 images, its table says 1"):
        DecodedCache(tmp_path / "cache", SIZE)
