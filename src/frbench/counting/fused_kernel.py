"""The kernel: one block of a tile from digits to candidates and histogram.

The product never leaves the registers. Each program multiplies int8 digits into int32 sums, exact
in any order, and then looks at every sum once: what reaches its row's limit is appended to a list
through one counter, and with a histogram every value is added to its bin.
"""

from __future__ import annotations

import triton
import triton.language as tl


# every number is passed as a number: no kernel is compiled anew for a special value of one;
# its arguments carry no types, since the compiler looks annotations up among its own names
@triton.jit(
    do_not_specialize=[
        "r0",
        "r1",
        "c0",
        "c1",
        "origin_row",
        "origin_column",
        "room",
        "shift",
        "middle",
        "copies",
        "copy_size",
    ]
)
def search_tile(  # type: ignore[no-untyped-def]
    high,
    low,
    add,
    fine_add,
    need,
    counter,
    places,
    counts,
    r0,
    r1,
    c0,
    c1,
    origin_row,
    origin_column,
    room,
    shift,
    middle,
    copies,
    copy_size,
    WIDTH: tl.constexpr,
    TRIANGLE: tl.constexpr,
    COUNT: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    STEP: tl.constexpr,
):
    """One block of rows [r0, r1) and columns [c0, c1).

    Args:
        high, low: int8 [n, WIDTH], first and second digits; low is read with COUNT only.
        add, fine_add, need: int32 [n].
        counter: int32 [1], places taken or refused so far.
        places: int32 [2, room], rows and columns within the tile that starts at the origin.
        counts: int32, copies of bins, copy_size apart.
    """
    # eight rows of blocks at a time, so that their templates stay in the near memory
    number = tl.program_id(0)
    deep = tl.cdiv(r1 - r0, ROWS)
    per_band = 8 * tl.cdiv(c1 - c0, COLUMNS)
    band = number // per_band
    tall = min(deep - 8 * band, 8)
    top = r0 + (8 * band + number % per_band % tall) * ROWS
    left = c0 + (number % per_band // tall) * COLUMNS
    row = top + tl.arange(0, ROWS)
    column = left + tl.arange(0, COLUMNS)
    if TRIANGLE and left + COLUMNS <= top + 1:
        return
    k = tl.arange(0, STEP)
    # beyond the edge the last template is read again; its results are left out below
    row_at = tl.minimum(row, r1 - 1).to(tl.int64)[:, None] * WIDTH
    column_at = tl.minimum(column, c1 - 1).to(tl.int64)[:, None] * WIDTH
    coarse = tl.zeros((ROWS, COLUMNS), tl.int32)
    fine = tl.zeros((ROWS, COLUMNS), tl.int32)
    for start in range(0, WIDTH, STEP):
        h = tl.load(high + row_at + (start + k)[None, :])
        other = tl.trans(tl.load(high + column_at + (start + k)[None, :]))
        coarse = tl.dot(h, other, coarse, out_dtype=tl.int32)
        if COUNT:
            l = tl.load(low + row_at + (start + k)[None, :])  # noqa: E741
            fine = tl.dot(l, other, fine, out_dtype=tl.int32)
            other_low = tl.trans(tl.load(low + column_at + (start + k)[None, :]))
            fine = tl.dot(h, other_low, fine, out_dtype=tl.int32)
    inside = (row < r1)[:, None] & (column < c1)[None, :]
    if TRIANGLE:
        inside = inside & (column[None, :] > row[:, None])
    more = tl.load(add + column, mask=column < c1, other=0)
    least = tl.load(need + row, mask=row < r1, other=0)
    hit = inside & (coarse + more[None, :] >= least[:, None])
    if tl.max(tl.max(hit.to(tl.int32), axis=1), axis=0) > 0:
        nothing = tl.zeros((ROWS, COLUMNS), tl.int32)
        slot = tl.atomic_add(counter + nothing, nothing + 1, mask=hit, sem="relaxed")
        stored = hit & (slot < room)
        tl.store(places + slot, (row - origin_row)[:, None] + nothing, mask=stored)
        tl.store(places + room + slot, (column - origin_column)[None, :] + nothing, mask=stored)
    if COUNT:
        own = tl.load(fine_add + row, mask=row < r1, other=0)
        theirs = tl.load(fine_add + column, mask=column < c1, other=0)
        value = (coarse << 8) + fine + theirs[None, :] + own[:, None]
        place = (value >> shift) + middle + number % copies * copy_size
        tl.atomic_add(counts + place, 1, mask=inside, sem="relaxed")
