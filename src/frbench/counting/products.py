"""Integer matrix products that commit no rounding, on whatever the processor does best.

An int8 product with int32 sums is exact by nature, but some processors without dot-product
instructions saturate on the way. So the fast product is tried on the extreme values first; where
it fails, or is missing, a float32 product gives the same integers as long as every partial sum
stays below 2**24, and a float64 product beyond that.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor

SINGLE_WIDTH = 2**24 // 127**2
"""Digits of at most 127 whose products a float32 sum of this many terms holds exactly."""


def integer_product(left: Tensor, right: Tensor, out: Tensor) -> None:
    """Write left @ right.T into out, exactly.

    Args:
        left: int8 [R, D], entries from -127 to 127.
        right: int8 [C, D], likewise.
        out: int32 [R, C], contiguous.
    """
    kind = product_for(left.shape[1])
    if kind == "int8":
        torch._int_mm(left, right.t(), out=out)
    else:
        float_product(left, right, out, torch.float32 if kind == "float32" else torch.float64)


def product_for(width: int) -> str:
    """Which product this machine takes for digits of this width: int8, float32 or float64."""
    if int8_is_exact(width):
        return "int8"
    return "float32" if width <= SINGLE_WIDTH else "float64"


def float_product(left: Tensor, right: Tensor, out: Tensor, kind: torch.dtype) -> None:
    """The same integers by a product of floats, for processors whose int8 product saturates."""
    out.copy_(left.to(kind) @ right.to(kind).t())


@contextmanager
def one_core_each(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads whose products stay on one core each; torch's own setting is put back at the end."""
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=64)
def int8_is_exact(width: int) -> bool:
    """Whether this machine's int8 product of this width survives the extreme values."""
    generator = torch.Generator().manual_seed(width)
    signs = torch.randint(0, 2, (80, width), generator=generator, dtype=torch.int64) * 2 - 1
    left, right = signs[:33] * 127, signs[33:] * 127
    # whole rows of one sign drive the sums as far as they go
    left[0], right[0], left[1], right[1] = 127, 127, -127, 127
    expected = left @ right.t()
    out = torch.empty(expected.shape, dtype=torch.int32)
    try:
        torch._int_mm(left.to(torch.int8), right.to(torch.int8).t(), out=out)
    except (AttributeError, RuntimeError):
        return False
    return bool((out == expected).all())
