"""Pictures that look alike: every pair of 64-bit perceptual hashes within a Hamming distance.

Exact, and far below comparing all pairs: two hashes that differ in at most k bits agree wholly on
at least one of k + 1 stretches of their bits (by the pigeonhole principle), so only hashes that
share a stretch are compared. A pair is reported at the first stretch that it shares.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from frbench.counting.compiled import compiled
from frbench.errors import InputError
from frbench.values import Bools, Int64s

BITS = 64
MOST = 5_000_000
"""Pairs that are returned at most; a set with more is not one to be mended pair by pair."""

Codes = npt.NDArray[np.uint64]


def perceptual_hash(pixels: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """The 64-bit and the 256-bit ``phash`` of an image uint8 (H, W, 3), as ``imagehash`` has it.

    Faces in one pose before one background agree on most of the 64 bits. The finer hash tells
    them apart, while a copy saved anew, or at another size, changes few of its bits.
    """
    import imagehash
    from PIL import Image

    picture = Image.fromarray(pixels)
    return (_number(imagehash.phash(picture).hash), _number(imagehash.phash(picture, 16).hash))


def _number(bits: Bools) -> int:
    return int("".join("1" if bit else "0" for bit in bits.reshape(-1)), 2)


def alike(fine: Sequence[int], pairs: Int64s, distance: int) -> Int64s:
    """Those of the pairs whose 256-bit hashes differ in at most four times as many bits."""
    close = [(fine[a] ^ fine[b]).bit_count() <= 4 * distance for a, b in pairs.tolist()]
    return pairs[np.array(close, dtype=np.bool_)]


def near_pairs(codes: Codes, distance: int, *, most: int = MOST) -> tuple[Int64s, bool]:
    """Pairs of rows whose codes differ in at most ``distance`` bits.

    Args:
        codes: uint64 [N].
        distance: bits, 0 to 15.
        most: pairs to return at most.

    Returns:
        int64 [P, 2] with first < second, ordered by row; and whether there are more.

    Raises:
        InputError: a distance out of range.
    """
    if not 0 <= distance < 16:
        raise InputError(f"a distance of {distance} bits is out of range; take 0 to 15")
    edges = np.linspace(0, BITS, distance + 2).astype(np.int64)
    found: list[Int64s] = []
    total = 0
    for stretch in range(distance + 1):
        masks = np.array(
            [_mask(edges[k], edges[k + 1]) for k in range(stretch + 1)], dtype=np.uint64
        )
        key = codes & masks[stretch]
        order = np.argsort(key, kind="stable").astype(np.int64)
        ends = np.flatnonzero(np.r_[key[order][1:] != key[order][:-1], True]).astype(np.int64) + 1
        rows = np.empty((max(most - total, 0) + 1, 2), dtype=np.int64)
        count = int(_search(codes, order, ends, masks, distance, rows))
        found.append(rows[: min(count, len(rows) - 1)].copy())
        total += count
        if total > most:
            break
    pairs = np.concatenate(found)
    pairs.sort(axis=1)
    ordered: Int64s = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return ordered, total > most


def _mask(low: int, high: int) -> int:
    return ((1 << int(high)) - 1) ^ ((1 << int(low)) - 1)


@compiled
def _search(
    codes: Codes, order: Int64s, ends: Int64s, masks: Codes, distance: int, rows: Int64s
) -> int:
    """Pairs within the buckets of one stretch, up to the length of ``rows``."""
    count = 0
    start = 0
    for end in ends:
        for a in range(start, end):
            for b in range(a + 1, end):
                rest = codes[order[a]] ^ codes[order[b]]
                earlier = False
                for k in range(len(masks) - 1):
                    earlier = earlier or (rest & masks[k]) == 0
                bits = 0
                while rest != 0 and bits <= distance:
                    rest &= rest - np.uint64(1)
                    bits += 1
                if bits <= distance and not earlier:
                    if count < len(rows):
                        rows[count, 0] = order[a]
                        rows[count, 1] = order[b]
                    count += 1
            if count >= len(rows):
                return count
        start = end
    return count
