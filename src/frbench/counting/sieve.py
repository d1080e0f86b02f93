"""The pass over a tile of the first digits' product that finds what may reach the floor."""

from __future__ import annotations

import numpy as np

from frbench.counting.compiled import compiled
from frbench.values import Int32s


@compiled
def sieve(
    product: Int32s, need: Int32s, add: Int32s, begin: int, rows: Int32s, columns: Int32s
) -> int:
    """List the places of a tile where product + add >= need; returns how many there are.

    Args:
        product: int32 [R, C].
        need: int32 [R].
        add: int32 [C].
        begin: in row r only columns from ``max(begin + r, 0)`` on count.
        rows, columns: int32 [R * C], written from the start.
    """
    found = 0
    wide = product.shape[1]
    for r in range(product.shape[0]):
        least = need[r]
        row = product[r]
        at = max(begin + r, 0)
        while at + 64 <= wide:
            part = row[at : at + 64]
            more = add[at : at + 64]
            # the maximum of a fixed number of values is the form that compilers vectorise
            best = np.int32(-2147483648)
            for c in range(64):
                best = max(best, np.int32(part[c] + more[c]))
            if best >= least:
                for c in range(64):
                    if np.int32(part[c] + more[c]) >= least:
                        rows[found] = r
                        columns[found] = at + c
                        found += 1
            at += 64
        for c in range(at, wide):
            if np.int32(row[c] + add[c]) >= least:
                rows[found] = r
                columns[found] = c
                found += 1
    return found
