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
from frbench.values import Float32s, Int32s, Int64s

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
    return signature, _generate


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    rows = _array(signature.args[0])(context, builder, arguments[0])
    x, y = (_row(builder, rows, arguments[n]) for n in (1, 2))
    total = _variable(builder, DOUBLE)
    builder.store(ir.Constant(DOUBLE, [0.0] * 16), total)
    with cgutils.for_range(builder, arguments[3]) as loop:
        left, right = (_load(builder, row, loop.index) for row in (x, y))
        product = builder.fmul(builder.fpext(left, DOUBLE), builder.fpext(right, DOUBLE))
        builder.store(builder.fadd(builder.load(total), product), total)
    out = _array(signature.args[4])(context, builder, arguments[4])
    target = builder.bitcast(out.data, DOUBLE.as_pointer())
    builder.store(builder.load(total), target).align = 8
    return context.get_dummy_value()


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
    d = vectors.shape[1]
    whole = d // 16
    lane = np.zeros(16, np.float64)
    for p in range(len(first)):
        _add_products(vectors, np.intp(first[p]), np.intp(second[p]), whole, lane)
        for k in range(16 * whole, d):
            product = np.float64(vectors[first[p], k]) * np.float64(vectors[second[p], k])
            lane[k - 16 * whole] += product
        width = 8
        while width > 0:
            for l in range(width):  # noqa: E741
                lane[l] += lane[l + width]
            width //= 2
        out[p] = np.float32(lane[0])


def scores(
    vectors: Float32s,
    first: Int32s | Int64s,
    second: Int32s | Int64s,
    *,
    workers: int = 1,
) -> Float32s:
    """Scores of the listed comparisons, by several threads; shapes as in ``score_into``."""
    out = np.empty(len(first), np.float32)
    step = max(-(-len(first) // workers), 1)
    parts = [slice(start, start + step) for start in range(0, len(first), step)]

    def work(part: slice) -> None:
        score_into(vectors, first[part], second[part], out[part])

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, parts))
    return out
