"""The quantiser of codes: which direction gets how many bits, and where its steps lie."""

from __future__ import annotations

from itertools import chain

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
ByteArray = npt.NDArray[np.uint8]
SignedArray = npt.NDArray[np.int8]

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


def share_bits(variances: npt.NDArray[np.float64], nibbles: int) -> IntArray:
    """Give each direction 4, 2, 1 or no bits, and say which share a nibble; the last nibble stays free.

    Steps are taken in the order of the variance they remove per bit: best where steps are of falling worth.

    Parameters
    ----------
    variances : float64 array of shape [D]
    nibbles : int
        Even.

    Returns
    -------
    slots : int32 array of shape [nibbles, 4]
        The directions in a nibble, lowest bits first; -1 for none.
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
        if _nibbles_for(bits) > nibbles - 1:
            bits[direction] = low
    together = [
        list(group) for size in (4, 2, 1) for group in _groups(np.flatnonzero(bits == size), 4 // size)
    ]
    # Strong beside weak: the sum of two tables' ranges sets the step at which all are rounded.
    together.sort(key=lambda group: -float(np.sqrt(variances[group]).sum()))
    together += [[]] * (nibbles - 1 - len(together))
    together.insert(nibbles // 2, [])  # which is brought to the end
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


def by_bits(slots: IntArray) -> dict[int, npt.NDArray[np.int64]]:
    """Return the directions that have so many bits each."""
    counts = (slots >= 0).sum(axis=1)
    bits = {4: counts == 1, 2: counts == 2, 1: counts > 2}
    return {size: slots[mask][slots[mask] >= 0].astype(np.int64) for size, mask in bits.items() if mask.any()}


def quantise(values: FloatArray, deviation: FloatArray, bits: int) -> ByteArray:
    """Return the codes of values, shape [directions, n]; a direction has one standard deviation."""
    codes = np.zeros(values.shape, np.uint8)
    for threshold in _THRESHOLDS[bits]:
        codes += values > (np.float32(threshold) * deviation)[:, np.newaxis]
    return codes
