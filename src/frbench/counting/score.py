"""The one definition of a comparison score; every faster path is only a sieve in front of it.

score(x, y) = float32 nearest to the float64 sum of the products x_k y_k, summed in 16 interleaved
lanes (lane l takes k = l, l + 16, …) that are then added pairwise: l + 8, l + 4, l + 2, l + 1.

The product of two float32 is exact in float64, so a fused multiply-add gives the same bits, and
the order of the sum is fixed: the same two templates have the same score on every machine, in
either order, whatever the tile, thread or batch (docs/methodology/exact-counting.md, section 1).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from frbench.counting.compiled import compiled
from frbench.values import Float32s, Float64s, Int32s, Int64s

ROUNDING = 2.0**-23
"""|score - x.y| <= ROUNDING * |x||y| for up to 2**20 dimensions: half a unit in the last place of
float32 is 2**-24, and the float64 sum adds at most d * 2**-53."""


SINGLE = ir.VectorType(ir.FloatType(), 16)
DOUBLE = ir.VectorType(ir.DoubleType(), 16)
_array: Any = cgutils.create_struct_proxy
_variable: Any = cgutils.alloca_once


def _add_products_code(
    typing: Any, vectors: Any, first: Any, second: Any, blocks: Any, lanes: Any
) -> Any:
    """Sixteen sums at once, stated in the compiler's vector types.

    As a plain loop this is compiled to one multiplication at a time, since a compiler may not
    reorder sums. With the lanes stated there is nothing to reorder. On processors with narrower
    registers the compiler splits the vectors, with the same result.

    lanes[l] = sum over b < blocks of vectors[first, 16 b + l] * vectors[second, 16 b + l].

    Args:
        vectors: float32 [N, D], C-contiguous, D >= 16 blocks.
        first, second: intp, row numbers in range.
        blocks: intp.
        lanes: float64 [16], overwritten.
    """
    signature = types.void(vectors, types.intp, types.intp, types.intp, lanes)
    return signature, _store_lanes


def _sum_products_code(typing: Any, vectors: Any, first: Any, second: Any, blocks: Any) -> Any:
    """The lanes of ``_add_products``, added pairwise in registers: a float64."""
    return types.float64(vectors, types.intp, types.intp, types.intp), _add_lanes


def _sum_four_code(
    typing: Any, vectors: Any, first: Any, a: Any, b: Any, c: Any, d: Any, blocks: Any
) -> Any:
    """``_sum_products`` of one template with four others, which is widened to float64 once."""
    places = (types.intp,) * 6
    four: Any = types.UniTuple
    return four(types.float64, 4)(vectors, *places), _add_four


def _store_lanes(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    (total,) = _lanes(context, builder, signature, arguments[:3], arguments[3])
    out = _array(signature.args[4])(context, builder, arguments[4])
    target = builder.bitcast(out.data, DOUBLE.as_pointer())
    builder.store(total, target).align = 8
    return context.get_dummy_value()


def _add_lanes(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    (total,) = _lanes(context, builder, signature, arguments[:3], arguments[3])
    return _pairwise(builder, total)


def _add_four(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    totals = _lanes(context, builder, signature, arguments[:6], arguments[6])
    sums = [_pairwise(builder, total) for total in totals]
    return context.make_tuple(builder, signature.return_type, sums)


def _pairwise(builder: Any, total: Any) -> Any:
    for width in (8, 4, 2, 1):
        places = ir.VectorType(ir.IntType(32), width)
        low, high = (
            builder.shuffle_vector(
                total, total, ir.Constant(places, list(range(start, start + width)))
            )
            for start in (0, width)
        )
        total = builder.fadd(low, high)
    return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))


def _lanes(context: Any, builder: Any, signature: Any, places: Any, blocks: Any) -> list[Any]:
    rows = _array(signature.args[0])(context, builder, places[0])
    x, *others = (_row(builder, rows, place) for place in places[1:])
    totals = [_variable(builder, DOUBLE) for _ in others]
    for total in totals:
        builder.store(ir.Constant(DOUBLE, [0.0] * 16), total)
    # the product is exact, so one rounding of product and sum is the rounding of the sum
    fused = ("contract",)
    with cgutils.for_range(builder, blocks) as loop:
        left = builder.fpext(_load(builder, x, loop.index), DOUBLE)
        for y, total in zip(others, totals, strict=True):
            right = builder.fpext(_load(builder, y, loop.index), DOUBLE)
            product = builder.fmul(left, right, flags=fused)
            builder.store(builder.fadd(builder.load(total), product, flags=fused), total)
    return [builder.load(total) for total in totals]


def _row(builder: Any, rows: Any, number: Any) -> Any:
    stride = builder.extract_value(rows.strides, 0)
    start = builder.ptrtoint(rows.data, ir.IntType(64))
    place = builder.add(start, builder.mul(number, stride))
    return builder.inttoptr(place, SINGLE.as_pointer())


def _load(builder: Any, row: Any, index: Any) -> Any:
    loaded = builder.load(builder.gep(row, [index]))
    loaded.align = 4
    return loaded


_add_products: Any = intrinsic(_add_products_code)
_sum_products: Any = intrinsic(_sum_products_code)
_sum_four: Any = intrinsic(_sum_four_code)


@compiled
def _one(vectors: Float32s, first: np.intp, second: np.intp, lane: Float64s) -> np.float32:
    d = vectors.shape[1]
    whole = d // 16
    if d == 16 * whole:
        return np.float32(_sum_products(vectors, first, second, whole))
    _add_products(vectors, first, second, whole, lane)
    for k in range(16 * whole, d):
        lane[k - 16 * whole] += np.float64(vectors[first, k]) * np.float64(vectors[second, k])
    width = 8
    while width > 0:
        for l in range(width):  # noqa: E741
            lane[l] += lane[l + width]
        width //= 2
    return np.float32(lane[0])


@compiled
def score_into(
    vectors: Float32s, first: Int32s | Int64s, second: Int32s | Int64s, out: Float32s
) -> None:
    """Write the scores of the comparisons (first[p], second[p]) into out[p].

    Args:
        vectors: float32 [N, D], C-contiguous.
        first, second: int [P], row numbers.
        out: float32 [P].
    """
    lane = np.zeros(16, np.float64)
    whole = vectors.shape[1] // 16
    even = vectors.shape[1] == 16 * whole
    p = 0
    while p < len(first):
        x = np.intp(first[p])
        if even and p + 4 <= len(first) and first[p + 1] == x == first[p + 2] == first[p + 3]:
            four = _sum_four(
                vectors,
                x,
                np.intp(second[p]),
                np.intp(second[p + 1]),
                np.intp(second[p + 2]),
                np.intp(second[p + 3]),
                whole,
            )
            for n in range(4):
                out[p + n] = np.float32(four[n])
            p += 4
        else:
            out[p] = _one(vectors, x, np.intp(second[p]), lane)
            p += 1


@compiled
def score_places(
    vectors: Float32s,
    order: Int64s,
    subject: Int32s,
    corner: tuple[int, int],
    triangle: bool,
    rows: Int32s,
    columns: Int32s,
    floor: float,
    out: Float32s,
) -> int:
    """Score the listed places of a tile; those of two persons that reach the floor stay listed.

    Args:
        vectors: float32 [N, D], C-contiguous.
        order, subject: int64 and int32 [n], row numbers and persons in the layout's order.
        corner: first row and column of the tile in that order.
        triangle: whether the lower row number comes first.
        rows, columns: int32 [P], places; rewritten from the start as row numbers (first, second).
        floor: lowest score to keep.
        out: float32 [P], written from the start.

    Returns:
        How many are kept.
    """
    apart = 0
    for p in range(len(rows)):
        place, other = corner[0] + rows[p], corner[1] + columns[p]
        if subject[place] != subject[other]:
            rows[apart], columns[apart] = order[place], order[other]
            apart += 1
    score_into(vectors, rows[:apart], columns[:apart], out)
    return _keep(apart, triangle, floor, rows, columns, out)


@compiled
def _keep(
    count: int, triangle: bool, floor: float, rows: Int32s, columns: Int32s, out: Float32s
) -> int:
    kept = 0
    for p in range(count):
        if out[p] >= floor:
            first, second = rows[p], columns[p]
            if triangle and first > second:
                first, second = second, first
            rows[kept], columns[kept], out[kept] = first, second, out[p]
            kept += 1
    return kept


@compiled
def score_tile(
    vectors: Float32s,
    order: Int64s,
    subject: Int32s,
    part: tuple[int, int, int, int],
    triangle: bool,
    start: Int32s,
    floor: float,
    rows: Int32s,
    columns: Int32s,
    out: Float32s,
) -> tuple[int, int]:
    """Score every comparison of two persons in a tile; keep those that reach the floor.

    Args:
        vectors, order, subject, triangle, floor: as for ``score_places``.
        part: rows [r0, r1) and columns [c0, c1) of the order.
        start: int32 [R]; in row r only columns from ``c0 + start[r]`` on count.
        rows, columns, out: int32, int32 and float32 [R * C], written from the start.

    Returns:
        How many are kept, and how many were scored.
    """
    kept, scored = 0, 0
    r0, r1, c0, c1 = part
    for place in range(r0, r1):
        apart = kept
        for other in range(c0 + start[place - r0], c1):
            if subject[place] != subject[other]:
                rows[apart], columns[apart] = order[place], order[other]
                apart += 1
        scored += apart - kept
        row, column, score = rows[kept:apart], columns[kept:apart], out[kept:apart]
        score_into(vectors, row, column, score)
        kept += _keep(apart - kept, triangle, floor, row, column, score)
    return kept, scored


def scores(
    vectors: Float32s,
    first: Int32s | Int64s,
    second: Int32s | Int64s,
    *,
    workers: int = 1,
) -> Float32s:
    """Scores of the listed comparisons, by several threads; shapes as in ``score_into``."""
    out = np.empty(len(first), np.float32)
    # a few parts a thread, so that none waits long for another one that was held up
    step = max(-(-len(first) // (8 * workers)), 4096)
    parts = [slice(start, start + step) for start in range(0, len(first), step)]

    def work(part: slice) -> None:
        score_into(vectors, first[part], second[part], out[part])

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, parts))
    return out
