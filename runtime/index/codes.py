"""Short codes of a partition's rows: about two bits a dimension, looked at first, decided by the rows.

The rows are centred and turned onto their principal directions; a direction gets 4, 2, 1 or no bits by its
variance, and a code stands for the mean of the values it was given (Lloyd-Max quantisation: Max, "Quantizing
for minimum distortion", 1960). So 20,000 rows of 128 take 0.6 MB and stay in a core's cache. `kernel` scans
them. How far a code's score may be off is known from what the codes leave of the variance: every row that
comes within some standard deviations of the best is scored by its float32 values, and no other. Embeddings
come in clusters, whose errors are not normal: how many deviations it takes is measured on each partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
ByteArray = npt.NDArray[np.uint8]
SignedArray = npt.NDArray[np.int8]

BLOCK = 64
"""Rows in a block of codes; the kernel's too."""

LEAST_WIDTH = 3.0
"""Fewest standard deviations of the codes' error within which a row is looked at: 99.9 % if it is normal."""

_SAMPLE = 4096  # rows from which directions, levels and errors are learnt
_PROBES = 64  # queries on which the errors of near rows are measured: so many rows, so many random vectors
_NEAR = 20  # rows nearest a probe
_MISSED = 0.005  # share of near rows whose error may be larger than the width allows for
# Decision thresholds of the Lloyd-Max quantiser of a standard normal variable (Max 1960, table I).
_THRESHOLDS = {
    1: (0.0,),
    2: (-0.9816, 0.0, 0.9816),
    4: tuple(
        sign * value
        for sign, values in (
            (-1, (2.401, 1.844, 1.437, 1.099, 0.7996, 0.5224, 0.2582)),
            (1, (0.0, 0.2582, 0.5224, 0.7996, 1.099, 1.437, 1.844, 2.401)),
        )
        for value in values
    ),
}
# Variance that such a quantiser leaves of 1, by bits.
_LEFT = {0: 1.0, 1: 0.3634, 2: 0.1175, 4: 0.009497}
_STEPS = ((0, 1), (1, 2), (2, 4))
# The arrays of a file of codes, in its order.
_CODER_PARTS = (
    *((name, "<f4") for name in ("mean", "rotation", "levels", "deviation", "residual")),
    ("slots", "<i4"),
)


@dataclass(frozen=True)
class Coder:
    """How rows become codes, and what a code stands for.

    Parameters
    ----------
    mean : float32 array of shape [D]
    rotation : float32 array of shape [D, D]
        Each row one direction, of unit length.
    levels : float32 array of shape [D, 16]
        Per direction, the value a code stands for; what is beyond its bits is zero.
    deviation : float32 array of shape [D]
        Per direction, the values' standard deviation, by which the quantiser is scaled.
    residual : float32 array of shape [D]
        Per direction, the variance between values and their levels.
    slots : int32 array of shape [nibbles, 4]
        The directions that share four bits, lowest bits first; -1 for none. Alone a direction has all four,
        of two each has two, of four (or three) each has one.
    grain : float
        Step of the rows' copies in bytes: their largest value over 127.
    width : float
        Standard deviations of the codes' error within which a row is looked at.
    """

    mean: FloatArray
    rotation: FloatArray
    levels: FloatArray
    deviation: FloatArray
    residual: FloatArray
    slots: IntArray
    grain: float
    width: float


def learn_coder(rows: FloatArray, nibbles: int | None = None) -> Coder:
    """Fit a coder to rows.

    Parameters
    ----------
    rows : float32 array of shape [n, D]
        At least one.
    nibbles : int, optional
        Length of a code in half bytes, even; by default half of D, which is two bits a dimension.
    """
    dim = rows.shape[1]
    nibbles = nibbles or max(2, (dim // 2 + 1) // 2 * 2)
    sample = rows[:: max(1, len(rows) // _SAMPLE)]
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = sample - mean
    variances, directions = np.linalg.eigh((centred.T @ centred / len(sample)).astype(np.float64))
    rotation = np.ascontiguousarray(directions.T[::-1], dtype=np.float32)
    variances = np.maximum(variances[::-1], 0.0)
    slots = _share(variances, nibbles)
    turned = rotation @ centred.T
    levels = np.zeros((dim, 16), np.float32)
    residual = variances.astype(np.float32)
    known = np.zeros_like(turned)
    deviation = np.sqrt(variances).astype(np.float32)
    for bits, group in _by_bits(slots).items():
        codes = _quantise(turned[group], deviation[group], bits)
        for direction, code in zip(group, codes, strict=True):
            counts = np.bincount(code, minlength=16)
            sums = np.bincount(code, weights=turned[direction], minlength=16)
            levels[direction] = sums / np.maximum(counts, 1)
            known[direction] = levels[direction, code]
            residual[direction] = float(np.mean((turned[direction] - known[direction]) ** 2))
    grain = max(float(np.abs(rows).max(initial=0.0)) / 127.0, 1e-9)
    return Coder(mean, rotation, levels, deviation, residual, slots, grain, _width(turned, known, residual))


def encode(coder: Coder, rows: FloatArray) -> ByteArray:
    """Return the rows' codes in the kernel's blocks, shape [blocks, nibbles / 2, 64]; see scan.c.

    A last block that is not full is filled up with zeros.
    """
    nibbles = len(coder.slots)
    blocks = -(-len(rows) // BLOCK)
    pairs = np.zeros((blocks * BLOCK, nibbles // 2), np.uint8)
    place = {int(d): (n, s) for n, slots in enumerate(coder.slots) for s, d in enumerate(slots) if d >= 0}
    for start in range(0, len(rows), _SAMPLE):
        turned = coder.rotation @ (rows[start : start + _SAMPLE] - coder.mean).T
        halves = np.zeros((nibbles, turned.shape[1]), np.uint8)
        for bits, group in _by_bits(coder.slots).items():
            codes = _quantise(turned[group], coder.deviation[group], bits)
            for direction, code in zip(group, codes, strict=True):
                nibble, slot = place[int(direction)]
                halves[nibble] |= code << (slot * bits)
        pairs[start : start + turned.shape[1]] = (halves[0::2] | (halves[1::2] << 4)).T
    blocked = pairs.reshape(blocks, 2, BLOCK // 2, nibbles // 2).transpose(0, 3, 2, 1)
    return np.ascontiguousarray(blocked).reshape(blocks, nibbles // 2, BLOCK)


def to_bytes(coder: Coder, rows: FloatArray) -> SignedArray:
    """Return the rows rounded to whole steps of the coder's grain, shape [n, D]."""
    return np.asarray(np.rint(rows / np.float32(coder.grain)), dtype=np.int8)


@dataclass(frozen=True)
class CodedRows:
    """Rows as codes and as bytes.

    Parameters
    ----------
    coder : Coder
    codes : uint8 array of shape [blocks, nibbles / 2, 64]
    in_bytes : int8 array of shape [n, D]
    """

    coder: Coder
    codes: ByteArray
    in_bytes: SignedArray


def encode_rows(rows: FloatArray) -> CodedRows:
    """Learn a coder from rows and code them."""
    coder = learn_coder(rows)
    return CodedRows(coder, encode(coder, rows), to_bytes(coder, rows))


def code_parts(coded: CodedRows) -> list[bytes]:
    """Return what a file of codes consists of; `map_codes` reads it."""
    return [getattr(coded.coder, name).astype(kind).tobytes() for name, kind in _CODER_PARTS] + [
        np.asarray([coded.coder.grain, coded.coder.width], "<f4").tobytes(),
        coded.codes.tobytes(),
        coded.in_bytes.tobytes(),
    ]


def map_codes(path: Path, count: int, dim: int) -> CodedRows:
    """Map a file of codes into memory; its length has been verified."""
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    # All but the codes, two nibbles a byte and 64 rows a block, is of known size.
    blocks = -(-count // BLOCK)
    fixed = 4 * (dim + dim * dim + 16 * dim + 2 * dim + 2) + count * dim
    # The rest is 16 bytes of slots a nibble, and half a byte a nibble for each place in a block.
    nibbles = (len(raw) - fixed) // (16 + blocks * BLOCK // 2)
    shapes = {
        "mean": (dim,),
        "rotation": (dim, dim),
        "levels": (dim, 16),
        "deviation": (dim,),
        "residual": (dim,),
        "slots": (nibbles, 4),
    }
    held = {}
    start = 0
    for name, kind in _CODER_PARTS:
        size = 4 * int(np.prod(shapes[name]))
        held[name] = raw[start : start + size].view(kind).reshape(shapes[name])
        start += size
    grain, width = raw[start : start + 8].view("<f4").tolist()
    end = start + 8 + blocks * BLOCK * nibbles // 2
    return CodedRows(
        Coder(**held, grain=grain, width=width),
        raw[start + 8 : end].reshape(blocks, nibbles // 2, BLOCK),
        raw[end:].view(np.int8).reshape(count, dim),
    )


def _width(turned: FloatArray, known: FloatArray, residual: FloatArray) -> float:
    """Measure by how many standard deviations the codes underrate the rows nearest to a query.

    Parameters
    ----------
    turned, known : float32 array of shape [D, n]
        The rows in their directions, and what their codes stand for.
    residual : float32 array of shape [D]
    """
    dim, count = turned.shape
    places = np.arange(0, count, max(1, count // _PROBES))[:_PROBES]
    own = turned[:, places].T
    probes = np.concatenate([own, np.random.default_rng(0).normal(size=(_PROBES, dim))]).astype(np.float32)
    scores = probes @ turned
    # A probe's own row is underrated most, and needs it least: its score is far above the others'.
    scores[np.arange(len(places)), places] = -np.inf
    near = np.argpartition(scores, max(0, count - _NEAR), axis=1)[:, -_NEAR:]
    short = np.take_along_axis(scores - probes @ known, near, axis=1)
    deviations = np.sqrt(np.square(probes) @ residual)[:, np.newaxis]
    ratios = (short / np.maximum(deviations, 1e-9))[np.isfinite(short)]
    return max(LEAST_WIDTH, float(np.quantile(ratios, 1 - _MISSED))) if len(ratios) else LEAST_WIDTH


def _share(variances: npt.NDArray[np.float64], nibbles: int) -> IntArray:
    """Give each direction 4, 2, 1 or no bits, and say which share a nibble.

    Steps are taken in the order of the variance they remove per bit: best where steps are of falling worth.
    """
    steps = sorted(
        (-variance * (_LEFT[low] - _LEFT[high]) / (high - low), direction, low, high)
        for direction, variance in enumerate(variances)
        for low, high in _STEPS
    )
    bits = np.zeros(len(variances), np.int64)
    for _, direction, low, high in steps:
        if bits[direction] != low:
            continue
        bits[direction] = high
        if _nibbles_for(bits) > nibbles:
            bits[direction] = low
    together = [
        list(group) for size in (4, 2, 1) for group in _groups(np.flatnonzero(bits == size), 4 // size)
    ]
    # Strong beside weak: the sum of two tables' ranges sets the step at which all are rounded.
    together.sort(key=lambda group: -float(np.sqrt(variances[group]).sum()))
    together += [[]] * (nibbles - len(together))
    paired = chain.from_iterable(
        zip(together[: nibbles // 2], together[: nibbles // 2 - 1 : -1], strict=True)
    )
    slots = np.full((nibbles, 4), -1, np.int32)
    for nibble, group in enumerate(paired):
        slots[nibble, : len(group)] = group
    return slots


def _nibbles_for(bits: npt.NDArray[np.int64]) -> int:
    return sum(-(-int((bits == size).sum()) * size // 4) for size in (1, 2, 4))


def _groups(directions: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    return [directions[start : start + size] for start in range(0, len(directions), size)]


def _by_bits(slots: IntArray) -> dict[int, npt.NDArray[np.int64]]:
    """Return the directions that have so many bits each."""
    counts = (slots >= 0).sum(axis=1)
    bits = {4: counts == 1, 2: counts == 2, 1: counts > 2}
    return {size: slots[mask][slots[mask] >= 0].astype(np.int64) for size, mask in bits.items() if mask.any()}


def _quantise(values: FloatArray, deviation: FloatArray, bits: int) -> ByteArray:
    """Return the codes of values of shape [directions, n]."""
    codes = np.zeros(values.shape, np.uint8)
    for threshold in _THRESHOLDS[bits]:
        codes += values > (np.float32(threshold) * deviation)[:, np.newaxis]
    return codes
