"""The pass over a tile of the first digits' product that finds what may reach the floor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from frbench.counting.compiled import compiled
from frbench.values import Int32s

Int8s = npt.NDArray[np.int8]


@compiled
def sieve(
    product: Int32s, need: Int32s, add: Int32s, start: Int32s, rows: Int32s, columns: Int32s
) -> int:
    """List the places of a tile where product + add >= need; returns how many there are.

    Args:
        product: int32 [R, C].
        need: int32 [R].
        add: int32 [C].
        start: int32 [R]; in row r only columns from ``start[r]`` on count.
        rows, columns: int32 [R * C], written from the start.
    """
    found = 0
    wide = product.shape[1]
    for r in range(product.shape[0]):
        least = need[r]
        row = product[r]
        at = np.int64(start[r])
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


@compiled
def sieve_again(
    coarse: Int32s,
    fine: Int32s,
    row: Int32s,
    column: Int32s,
    least: int,
    rows: Int32s,
    columns: Int32s,
) -> int:
    """Keep the listed places whose two-digit value is at least ``least``; returns how many.

    Args:
        coarse, fine: int32 [R, C], h.h' and h.l' + l.h'.
        row, column: int32 [R] and [C], offsets.
        least: in units of the two-digit product.
        rows, columns: int32 [P], rewritten from the start.
    """
    kept = 0
    for p in range(len(rows)):
        r, c = rows[p], columns[p]
        value = np.int64(coarse[r, c]) * 256 + fine[r, c] + row[r] + column[c]
        if value >= least:
            rows[kept] = r
            columns[kept] = c
            kept += 1
    return kept


@compiled
def sieve_listed(
    left: Int8s, right: Int8s, need: Int32s, add: Int32s, rows: Int32s, columns: Int32s
) -> int:
    """Keep the listed places where left . right + add >= need; returns how many.

    Args:
        left, right: int8 [R, W] and [C, W], digits of the rows and columns.
        need, add: int32 [R] and [C].
        rows, columns: int32 [P], rewritten from the start.
    """
    kept = 0
    for p in range(len(rows)):
        r, c = np.intp(rows[p]), np.intp(columns[p])
        x, y = left[r], right[c]
        total = np.int32(0)
        for k in range(len(x)):
            total = np.int32(total + np.int32(np.int16(x[k]) * np.int16(y[k])))
        if np.int32(total + add[c]) >= need[r]:
            rows[kept], columns[kept] = r, c
            kept += 1
    return kept
