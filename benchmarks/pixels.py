"""Time from a file to the model's square, against pydicom's own display path and Pillow.

Run ``python benchmarks/pixels.py``; it makes its own images. One process, medians in milliseconds, each
method warmed up once and then timed in turns so that drift of the machine meets all of them alike.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from recording import Circumstances, hand_over, take_out

from edge_retrieve.runtime.preprocess import letterbox, load_radiograph

MODEL_SIDE = 224
WORDS = {
    uid.ExplicitVRLittleEndian: "uncompressed",
    uid.RLELossless: "RLE",
    uid.JPEGLSLossless: "JPEG-LS",
    uid.JPEG2000Lossless: "JPEG 2000",
}


def picture(rows: int, columns: int) -> npt.NDArray[np.uint16]:
    """Return 12-bit stored values with the smoothness and noise of a radiograph."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:rows, :columns]
    wave = 0.5 + 0.2 * np.sin(9 * x / columns) + 0.2 * np.cos(7 * y / rows)
    return np.round(np.clip(wave + rng.normal(0, 0.01, wave.shape), 0, 1) * 4095).astype(np.uint16)


def write_dicom(stored: npt.NDArray[np.uint16], path: Path, syntax: uid.UID) -> None:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3.4"
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.StudyInstanceUID, data.PatientID = "1.2.3", "bench"
    data.Modality, data.BodyPartExamined, data.ViewPosition = "DX", "CHEST", "PA"
    data.Rows, data.Columns = stored.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME1", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.RescaleSlope, data.RescaleIntercept = "1", "0"
    data.WindowCenter, data.WindowWidth = "2048", "3600"
    data.PixelData = stored.tobytes()
    data["PixelData"].VR = "OW"
    if syntax.is_encapsulated:
        data.compress(syntax, generate_instance_uid=False)
    data.save_as(path, enforce_file_format=True)


def ours(path: Path) -> npt.NDArray[np.float32]:
    return letterbox(load_radiograph(path).pixels, MODEL_SIDE)[0]


def ours_load_only(path: Path) -> npt.NDArray[np.float32]:
    return load_radiograph(path).pixels


def by_pydicom(path: Path) -> npt.NDArray[np.float32]:
    """Display values as pydicom's documentation makes them, then the same square by Pillow."""
    data = dcmread(path)
    values = apply_voi_lut(apply_modality_lut(data.pixel_array, data), data)
    shown = (values - values.min()) / (values.max() - values.min())
    return in_square(Image.fromarray((1.0 - shown).astype(np.float32)))


def by_pillow(path: Path) -> npt.NDArray[np.float32]:
    """Read a picture as most training code does: eight bits, resized as such."""
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return in_square(image.convert("L")) / np.float32(255)


def in_square(image: Image.Image) -> npt.NDArray[np.float32]:
    scale = MODEL_SIDE / max(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    square = np.zeros((1, MODEL_SIDE, MODEL_SIDE), dtype=np.float32)
    left, top = (MODEL_SIDE - size[0]) // 2, (MODEL_SIDE - size[1]) // 2
    resized = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    square[0, top : top + size[1], left : left + size[0]] = resized
    return square


Method = Callable[[Path], npt.NDArray[np.float32]]
METHODS: dict[str, dict[str, Method]] = {
    ".dcm": {
        "edge-retrieve load + letterbox": ours,
        "edge-retrieve load": ours_load_only,
        "pydicom apply_voi_lut + Pillow": by_pydicom,
    },
    ".png": {"edge-retrieve load + letterbox": ours, "Pillow, 8 bits": by_pillow},
    ".jpg": {"edge-retrieve load + letterbox": ours, "Pillow, 8 bits": by_pillow},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="timed rounds (default %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="one round: does it run at all?")
    take_out(parser)
    arguments = parser.parse_args()
    here = Circumstances.now()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for path, name in make_files(Path(folder)):
            methods = METHODS[path.suffix]
            results = {method: run(path) for method, run in methods.items()}
            agree(results)
            times: dict[str, list[float]] = {method: [] for method in methods}
            for _ in range(1 if arguments.tiny else arguments.repeats):
                for method, run in methods.items():
                    start = time.perf_counter()
                    run(path)
                    times[method].append((time.perf_counter() - start) * 1e3)
            rows += [
                {
                    "image": name,
                    "method": method,
                    "p50_ms": round(statistics.median(taken), 2),
                    "best_ms": round(min(taken), 2),
                }
                for method, taken in times.items()
            ]
    told = [
        f"{row['image']:40} {row['method']:32} p50 {row['p50_ms']:8.2f} ms   best {row['best_ms']:8.2f} ms"
        for row in rows
    ]
    hand_over(here, {"synthetic": True, "rows": rows}, arguments, "\n".join(told))


def make_files(folder: Path) -> list[tuple[Path, str]]:
    """Write the images to be read and return them with their names."""
    files = []
    for label, stored in (("512 x 512", picture(512, 512)), ("2048 x 2500", picture(2500, 2048))):
        for syntax, words in WORDS.items():
            path = folder / f"{stored.shape[0]}-{len(files)}.dcm"
            write_dicom(stored, path, syntax)
            files.append((path, f"DICOM 12 bit {label}, {words}"))
        for suffix in (".png", ".jpg"):
            path = folder / f"{stored.shape[0]}{suffix}"
            Image.fromarray((stored >> 4).astype(np.uint8)).save(path)
            files.append((path, f"{suffix[1:].upper()} 8 bit {label}"))
    return files


def agree(results: dict[str, npt.NDArray[np.float32]]) -> None:
    """Stop where methods that claim the same square differ: a faster wrong answer is no result."""
    squares = {name: square for name, square in results.items() if square.ndim == 3}
    first = next(iter(squares.values()))
    for name, square in squares.items():
        worst = float(np.abs(square - first).max())
        if worst > 0.02:
            raise SystemExit(f"{name} differs by {worst:.3f} from {next(iter(squares))}")


if __name__ == "__main__":
    main()
