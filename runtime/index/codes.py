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
from typing import Any

import numpy as np

from edge_retrieve.runtime.index.cells import BLOCK, Cells, Reach, share_out, shares_of
from edge_retrieve.runtime.index.probes import code_width, draw_probes, reach_width
from edge_retrieve.runtime.index.quantiser import (
    ByteArray,
    FloatArray,
    IntArray,
    SignedArray,
    by_bits,
    quantise,
    share_bits,
)

_SPREADS = 16  # levels of how much a code leaves of a row: four bits
_SAMPLE = 2048  # rows from which directions, levels and errors are learnt
_AT_ONCE = 4096  # rows coded together: as many as stay in a core's cache
_LINE = 64  # bytes in a line of a processor's cache
# The arrays of a file of codes, in its order: whose they are, their names and types.
_PARTS = (
    *(("coder", n, "<f4") for n in ("mean", "rotation", "levels", "deviation", "residual", "spreads")),
    ("coder", "slots", "<i4"),
    *(("cells", name, "<i4") for name in ("starts", "offsets")),
    *(("reach", name, "<f4") for name in ("centres", "scatter", "shares")),
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
        Step of the rows' copies in bytes: their largest distance from their cells' centres, over 127.
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


def encode_rows(rows: FloatArray, nibbles: int | None = None) -> tuple[IntArray, CodedRows]:
    """Share rows out to cells, learn a coder of what they differ from their cells' centres, and code that.

    Parameters
    ----------
    rows : float32 array of shape [n, D]
        At least one.
    nibbles : int, optional
        Length of a code in half bytes, even; by default half of D, which is two bits a dimension.

    Returns
    -------
    order : int32 array of shape [n]
        The rows cell by cell: a search finds its candidates side by side where they lie in this order.
    coded : CodedRows
        Of the rows in this order.
    """
    count, dim = rows.shape
    every = slice(None, None, max(1, count // _SAMPLE))
    mean = rows[every].mean(axis=0, dtype=np.float64).astype(np.float32)
    order, cells = share_out(rows, mean)
    apart = rows[order]
    centres = cells.take_apart(apart)
    sample, own = apart[every], cells.numbers[every]
    coder, known = _learn(sample, mean, nibbles or max(2, (dim // 2 + 1) // 2 * 2))
    coder = replace(coder, grain=max(float(apart.max()), -float(apart.min()), 127e-9) / 127.0)
    coded = _code_all(coder, apart)
    share = coded.left / max(float(np.sqrt(coder.residual.sum())), 1e-9)
    coder = replace(coder, spreads=_spread_levels(share))
    coded.halves[-1] = np.minimum(np.searchsorted(coder.spreads, share), _SPREADS - 1)
    turned = np.asarray((centres - mean) @ coder.rotation.T, dtype=np.float32)
    reach = Reach(turned, np.square(coder.deviation), shares_of(cells, coded.lengths), 0.0)
    probes = draw_probes(sample @ coder.rotation.T + turned[own])
    width = code_width(probes, known.T + turned[own], share[every], coder.residual)
    return order, CodedRows(
        replace(coder, width=width),
        cells,
        replace(reach, width=reach_width(probes, own, reach)),
        _in_blocks(coded.halves, cells),
        coded.in_bytes,
    )


@dataclass(frozen=True)
class _Coded:
    """Rows, less their cells' centres, as a coder gives them.

    Parameters
    ----------
    halves : uint8 array of shape [nibbles, n]
        Codes, the last nibble still to be filled in.
    in_bytes : int8 array of shape [n, D]
    lengths : float32 array of shape [n]
        Squares of the rows' lengths.
    left : float32 array of shape [n]
        Length of what codes leave of the rows.
    """

    halves: ByteArray
    in_bytes: SignedArray
    lengths: FloatArray
    left: FloatArray


def _code_all(coder: Coder, rows: FloatArray) -> _Coded:
    count = len(rows)
    halves = np.zeros((len(coder.slots), count), np.uint8)
    in_bytes = np.empty(rows.shape, np.int8)
    lengths, left = np.empty((2, count), np.float32)
    for start in range(0, count, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        turned = coder.rotation @ rows[part].T
        np.square(turned).sum(axis=0, out=lengths[part])
        turned -= _code(coder, turned, halves[:, part])
        np.square(turned, out=turned).sum(axis=0, out=left[part])
        steps = rows[part] * np.float32(1.0 / coder.grain)
        in_bytes[part] = np.rint(steps, out=steps)
    return _Coded(halves, in_bytes, lengths, np.sqrt(left, out=left))


def _in_blocks(halves: ByteArray, cells: Cells) -> ByteArray:
    """Lay nibbles, shape [nibbles, n], out as the kernel reads them, shape [blocks, nibbles / 2, 64]."""
    pairs = np.zeros((len(halves) // 2, int(cells.starts[-1]) * BLOCK), np.uint8)
    pairs[:, cells.places(np.arange(halves.shape[1]))] = halves[0::2] | (halves[1::2] << 4)
    # Byte 2i of a block is its place i, byte 2i + 1 its place 32 + i.
    split = pairs.reshape(len(pairs), -1, 2, BLOCK // 2)
    return np.ascontiguousarray(split.transpose(1, 0, 3, 2)).reshape(-1, len(pairs), BLOCK)


def _learn(sample: FloatArray, mean: FloatArray, nibbles: int) -> tuple[Coder, FloatArray]:
    """Fit a coder, its spreads and its width left to be measured; return what its codes stand for, too.

    Parameters
    ----------
    sample : float32 array of shape [m, D]
        What some rows differ from their cells' centres.
    mean : float32 array of shape [D]
    nibbles : int
    """
    dim = sample.shape[1]
    variances, directions = np.linalg.eigh((sample.T @ sample / len(sample)).astype(np.float64))
    rotation = np.ascontiguousarray(directions.T[::-1], dtype=np.float32)
    variances = np.maximum(variances[::-1], 0.0)
    slots = share_bits(variances, nibbles)
    turned = rotation @ sample.T
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
    spreads = np.zeros(_SPREADS, np.float32)
    return Coder(mean, rotation, levels, deviation, residual, spreads, slots, 0.0, 0.0), known


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


@dataclass(frozen=True)
class CodedRows:
    """Rows, which come cell by cell, as codes and as bytes.

    Parameters
    ----------
    coder : Coder
    cells : Cells
    reach : Reach
    codes : uint8 array of shape [blocks, nibbles / 2, 64]
    in_bytes : int8 array of shape [n, D]
        Rows less their cells' centres, in the coder's grain.
    """

    coder: Coder
    cells: Cells
    reach: Reach
    codes: ByteArray
    in_bytes: SignedArray


def code_parts(coded: CodedRows) -> list[bytes]:
    """Return what a file of codes consists of; `map_codes` reads it."""
    coder, cells, reach = coded.coder, coded.cells, coded.reach
    head = [np.asarray([len(coder.slots), len(cells.counts), len(coded.codes)], "<i4")]
    head += [np.asarray(getattr(coded, room).__dict__[name], kind) for room, name, kind in _PARTS]
    head.append(np.asarray([coder.grain, coder.width, reach.width], "<f4"))
    parts = [array.tobytes() for array in head]
    # Codes and bytes begin with a line of the cache: a row in bytes then takes two and not three.
    parts.append(bytes(-sum(map(len, parts)) % _LINE))
    return [*parts, coded.codes.tobytes(), coded.in_bytes.tobytes()]


def map_codes(path: Path, dim: int) -> CodedRows:
    """Map a file of codes into memory; its length has been verified."""
    raw = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    nibbles, number, blocks = raw[:12].view("<i4").tolist()
    shapes = {
        "mean": (dim,),
        "rotation": (dim, dim),
        "levels": (dim, 16),
        "deviation": (dim,),
        "residual": (dim,),
        "spreads": (_SPREADS,),
        "slots": (nibbles, 4),
        "starts": (number + 1,),
        "offsets": (number + 1,),
        "centres": (number, dim),
        "scatter": (dim,),
        "shares": (number,),
    }
    held: dict[str, dict[str, Any]] = {"coder": {}, "cells": {}, "reach": {}}
    start = 12
    for room, name, kind in _PARTS:
        size = 4 * int(np.prod(shapes[name]))
        held[room][name] = raw[start : start + size].view(kind).reshape(shapes[name])
        start += size
    grain, width, reach_width = raw[start : start + 12].view("<f4").tolist()
    start += 12 + -(start + 12) % _LINE
    end = start + blocks * BLOCK * nibbles // 2
    return CodedRows(
        Coder(**held["coder"], grain=grain, width=width),
        Cells(**held["cells"]),
        Reach(**held["reach"], width=reach_width),
        raw[start:end].reshape(blocks, nibbles // 2, BLOCK),
        raw[end:].view(np.int8).reshape(-1, dim),
    )
