"""Short codes of a partition's rows: about two bits a dimension, looked at first, decided by the rows.

The rows are centred and turned onto their principal directions; a direction gets 4, 2, 1 or no bits by its
variance, and a code stands for the mean of the values it was given (Lloyd-Max quantisation: Max, "Quantizing
for minimum distortion", 1960). So 20,000 rows of 128 take 0.6 MB and stay in a core's cache. `kernel` scans
them. Every row whose score may, by its code, be among the best is scored by its values, and no other.

Embeddings come in clusters, and the rows of a rare one lie far from their codes: what a code leaves of a
row differs tenfold. So the last four bits of a code say how much of its row it leaves. A score may then be
too low by some standard deviations *of its own row's error*; about three do for rows of any kind, and each
partition measures how many it takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.index.quantiser import (
    ByteArray,
    FloatArray,
    IntArray,
    by_bits,
    quantise,
    share_bits,
)

SignedArray = npt.NDArray[np.int8]

BLOCK = 64
"""Rows in a block of codes; the kernel's too."""

LEAST_WIDTH = 3.0
"""Fewest standard deviations of a row's error by which its score may be too low: 99.9 % if it is normal."""

_SPREADS = 16  # levels of how much a code leaves of a row: four bits
_SAMPLE = 4096  # rows from which directions, levels and errors are learnt
_PROBES = 64  # queries on which the errors of near rows are measured: so many rows, so many random vectors
_NEAR = 10  # rows nearest a probe
_MISSED = 0.002  # share of near rows whose error may be larger than the width allows for
# The arrays of a file of codes, in its order.
_CODER_PARTS = (
    *((name, "<f4") for name in ("mean", "rotation", "levels", "deviation", "residual", "spreads")),
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
    spreads : float32 array of shape [16]
        What the last nibble stands for: the length of what a code leaves of its row, over the root mean
        square of these lengths; ascending, and never below the row's own.
    slots : int32 array of shape [nibbles, 4]
        The directions that share four bits, lowest bits first; -1 for none. Alone a direction has all four,
        of two each has two, of four (or three) each has one. The last nibble is none's.
    grain : float
        Step of the rows' copies in bytes: their largest distance from the mean, over 127.
    width : float
        Standard deviations of a row's error by which its score by its code may be too low.
    """

    mean: FloatArray
    rotation: FloatArray
    levels: FloatArray
    deviation: FloatArray
    residual: FloatArray
    spreads: FloatArray
    slots: IntArray
    grain: float
    width: float


def encode_rows(rows: FloatArray, nibbles: int | None = None) -> CodedRows:
    """Learn a coder from rows and code them.

    Parameters
    ----------
    rows : float32 array of shape [n, D]
        At least one.
    nibbles : int, optional
        Length of a code in half bytes, even; by default half of D, which is two bits a dimension.
    """
    dim = rows.shape[1]
    coder = _learn(rows, nibbles or max(2, (dim // 2 + 1) // 2 * 2))
    nibbles = len(coder.slots)
    blocks = -(-len(rows) // BLOCK)
    halves = np.zeros((nibbles, blocks * BLOCK), np.uint8)
    left = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), _SAMPLE):
        turned = coder.rotation @ (rows[start : start + _SAMPLE] - coder.mean).T
        end = start + turned.shape[1]
        turned -= _code(coder, turned, halves[:, start:end])
        left[start:end] = np.sqrt(np.square(turned, out=turned).sum(axis=0))
    left /= max(float(np.sqrt(coder.residual.sum())), 1e-9)
    coder = replace(coder, spreads=_spread_levels(left))
    halves[-1, : len(rows)] = np.minimum(np.searchsorted(coder.spreads, left), _SPREADS - 1)
    pairs = (halves[0::2] | (halves[1::2] << 4)).reshape(nibbles // 2, blocks, 2, BLOCK // 2)
    blocked = np.ascontiguousarray(pairs.transpose(1, 0, 3, 2)).reshape(blocks, nibbles // 2, BLOCK)
    return CodedRows(coder, blocked, to_bytes(coder, rows))


def _learn(rows: FloatArray, nibbles: int) -> Coder:
    """Fit a coder to rows; its spreads are left to be measured."""
    dim = rows.shape[1]
    sample = rows[:: max(1, len(rows) // _SAMPLE)]
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = sample - mean
    variances, directions = np.linalg.eigh((centred.T @ centred / len(sample)).astype(np.float64))
    rotation = np.ascontiguousarray(directions.T[::-1], dtype=np.float32)
    variances = np.maximum(variances[::-1], 0.0)
    slots = share_bits(variances, nibbles)
    turned = rotation @ centred.T
    levels = np.zeros((dim, 16), np.float32)
    residual = variances.astype(np.float32)
    known = np.zeros_like(turned)
    deviation = np.sqrt(variances).astype(np.float32)
    for bits, group in by_bits(slots).items():
        codes = quantise(turned[group], deviation[group], bits)
        for direction, code in zip(group, codes, strict=True):
            counts = np.bincount(code, minlength=16)
            sums = np.bincount(code, weights=turned[direction], minlength=16)
            levels[direction] = sums / np.maximum(counts, 1)
            known[direction] = levels[direction, code]
            residual[direction] = float(np.mean((turned[direction] - known[direction]) ** 2))
    grain = max(float(np.abs(rows - mean).max(initial=0.0)) / 127.0, 1e-9)
    width = _width(turned, known, residual)
    spreads = np.zeros(_SPREADS, np.float32)
    return Coder(mean, rotation, levels, deviation, residual, spreads, slots, grain, width)


def _code(coder: Coder, turned: FloatArray, halves: ByteArray) -> FloatArray:
    """Fill in the nibbles of rows, shape [nibbles, n]; return what they stand for, shape [D, n]."""
    known = np.zeros_like(turned)
    place = {int(d): (n, s) for n, slots in enumerate(coder.slots) for s, d in enumerate(slots) if d >= 0}
    for bits, group in by_bits(coder.slots).items():
        codes = quantise(turned[group], coder.deviation[group], bits)
        for direction, code in zip(group, codes, strict=True):
            nibble, slot = place[int(direction)]
            halves[nibble] |= code << (slot * bits)
            known[direction] = coder.levels[direction, code]
    return known


def _spread_levels(left: FloatArray) -> FloatArray:
    """Return levels in equal ratios: the smallest serves one row in a hundred, the largest all."""
    most = max(float(left.max(initial=0.0)), 1e-6)
    least = max(float(np.quantile(left, 0.01)), most / 64)
    # Rounded up, so that the largest row is not above its level.
    levels = np.geomspace(least, most, _SPREADS).astype(np.float32)
    return np.asarray(np.nextafter(levels, np.float32(np.inf)), dtype=np.float32)


def to_bytes(coder: Coder, rows: FloatArray) -> SignedArray:
    """Return the rows, less their mean, rounded to whole steps of the coder's grain; shape [n, D]."""
    return np.asarray(np.rint((rows - coder.mean) / np.float32(coder.grain)), dtype=np.int8)


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


def code_parts(coded: CodedRows) -> list[bytes]:
    """Return what a file of codes consists of; `map_codes` reads it."""
    return [getattr(coded.coder, name).astype(kind).tobytes() for name, kind in _CODER_PARTS] + [
        np.asarray([coded.coder.grain, coded.coder.width], "<f4").tobytes(),
        coded.codes.tobytes(),
        coded.in_bytes.tobytes(),
    ]


def map_codes(path: Path, count: int, dim: int) -> CodedRows:
    """Map a file of codes into memory; its length has been verified."""
    raw = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    # All but the codes, two nibbles a byte and 64 rows a block, is of known size.
    blocks = -(-count // BLOCK)
    fixed = 4 * (dim + dim * dim + 16 * dim + 2 * dim + _SPREADS + 2) + count * dim
    # The rest is 16 bytes of slots a nibble, and half a byte a nibble for each place in a block.
    nibbles = (len(raw) - fixed) // (16 + blocks * BLOCK // 2)
    shapes = {
        "mean": (dim,),
        "rotation": (dim, dim),
        "levels": (dim, 16),
        "deviation": (dim,),
        "residual": (dim,),
        "spreads": (_SPREADS,),
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
    """Measure by how many standard deviations codes underrate the rows nearest to a query.

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
    exact = np.take_along_axis(scores, near, axis=1)
    # A row is found where its score by its code, and the width, reach the worst of the nearest.
    short = exact.min(axis=1, keepdims=True) - np.take_along_axis(probes @ known, near, axis=1)
    lengths = np.sqrt(np.square(turned - known).sum(axis=0) / max(float(residual.sum()), 1e-12))
    deviations = np.sqrt(np.square(probes) @ residual)[:, np.newaxis] * lengths[near]
    ratios = (short / np.maximum(deviations, 1e-9))[np.isfinite(short)]
    return max(LEAST_WIDTH, float(np.quantile(ratios, 1 - _MISSED))) if len(ratios) else LEAST_WIDTH
