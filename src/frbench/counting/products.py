"""Integer matrix products that commit no rounding, on whatever the processor does best.

An int8 product with int32 sums is exact by nature, but some processors without dot-product
instructions saturate on the way. So the fast product is tried on the extreme values first; where
it fails, or is missing, a float64 product gives the same integers: every partial sum is an integer
below 2**53.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


def integer_product(left: Tensor, right: Tensor, out: Tensor) -> None:
    """Write left @ right.T into out, exactly.

    Args:
        left: int8 [R, D].
        right: int8 [C, D].
        out: int32 [R, C], contiguous.
    """
    if int8_is_exact(left.shape[1]):
        torch._int_mm(left, right.t(), out=out)
    else:
        float_product(left, right, out)


def float_product(left: Tensor, right: Tensor, out: Tensor) -> None:
    """The same integers by a float64 product, for processors whose int8 product saturates."""
    out.copy_(left.double() @ right.double().t())


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
