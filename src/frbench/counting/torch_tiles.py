"""Tiles on any torch device, with operations that every device has.

Three products give the same integers: int8 digits with int32 sums, and float32 and float64
products, whose every partial sum is an integer below 2**24 and 2**53. Each is tried on the
device with the largest digits there are before it is trusted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from frbench.counting.layout import Tile
from frbench.counting.uploaded import SPARE, Found, Uploaded
from frbench.errors import InputError
from frbench.values import Int64s

FLOAT32_TERMS = 2**24 // 2**14
"""A product of two int8 is at most 2**14, so that any sum of this many is an integer of at most
2**24: float32 holds each of them, whatever the order of the sum. Such products are exact even
where a device rounds factors to 8 significant bits, since an int8 has no more."""

SIDE = 4096
"""Rows and columns of a product; the integers of one take 64 MiB."""

MOST = 2**25
"""Candidates of a tile, beyond which it is to be searched in parts."""

Product = Callable[[Tensor, Tensor], Tensor]
"""int8 [R, W] and int8 [C, W] -> int32 [R, C], left @ right.T."""


class TorchTiles:
    """A lane that takes its tiles in plain torch operations.

    Args:
        uploaded: templates on the device.
        product: the integer product; by default the first one that is exact on the device.
        most: candidates of a tile, beyond which ``find`` gives None.
    """

    name = "torch"

    def __init__(
        self, uploaded: Uploaded, *, product: Product | None = None, most: int = MOST
    ) -> None:
        self._up = uploaded
        width = uploaded.templates.shape[2]
        self._product = product or exact_product(str(uploaded.device), width)
        self._most = most

    def find(self, tile: Tile, floor: float) -> Found | None:
        """Candidates and histograms of a tile; None if it holds more candidates than fit."""
        need = self._up.need(floor)
        places: list[Tensor] = []
        counts: dict[tuple[int, int], Tensor] = defaultdict(
            lambda: torch.zeros(self._up.bins, dtype=torch.int64, device=self._up.device)
        )
        for a, b, piece in self._up.pieces(tile, SIDE):
            coarse = self._multiply(piece, 0, 0)
            add, least = self._up.add[piece.c0 : piece.c1], need[piece.r0 : piece.r1, None]
            hit = _above_diagonal((coarse + add) >= least, piece)
            start = torch.tensor([piece.r0 - tile.r0, piece.c0 - tile.c0], device=self._up.device)
            places.append(hit.nonzero() + start)
            if sum(map(len, places)) > self._most:
                return None
            if self._up.bins:
                counts[a, b] += self._count(piece, coarse)
        rows, columns = torch.cat(places).to(torch.int32).cpu().numpy().T if places else ((), ())
        return Found(
            np.ascontiguousarray(rows, np.int32),
            np.ascontiguousarray(columns, np.int32),
            tuple((a, b, _numbers(more)) for (a, b), more in counts.items()),
        )

    def _multiply(self, piece: Tile, left: int, right: int) -> Tensor:
        """int32 [R, C]: digits ``left`` of the rows by digits ``right`` of the columns."""
        rows, columns = piece.r1 - piece.r0, piece.c1 - piece.c0
        # some int8 products take no fewer than 17 rows, and only multiples of 8
        r1, c1 = piece.r0 + _padded(rows), piece.c0 + _padded(columns)
        templates = self._up.templates
        whole = self._product(templates[left, piece.r0 : r1], templates[right, piece.c0 : c1])
        return whole[:rows, :columns]

    def _count(self, piece: Tile, coarse: Tensor) -> Tensor:
        value = coarse << 8
        value += self._multiply(piece, 0, 1)
        value += self._multiply(piece, 1, 0)
        value += self._up.fine_add[piece.c0 : piece.c1]
        value += self._up.fine_add[piece.r0 : piece.r1, None]
        bin_of = (value >> self._up.shift) + self._up.bins // 2
        inside = _above_diagonal(torch.ones_like(bin_of, dtype=torch.bool), piece)
        return torch.bincount(bin_of[inside], minlength=self._up.bins)


def _above_diagonal(hit: Tensor, piece: Tile) -> Tensor:
    if piece.triangle and piece.c0 < piece.r1:
        return hit.triu(piece.r0 + 1 - piece.c0)
    return hit


def _padded(rows: int) -> int:
    return max(-(-rows // 8) * 8, 24)


def _numbers(counts: Tensor) -> Int64s:
    out: Int64s = counts.cpu().numpy()
    return out


assert _padded(1) <= SPARE


@lru_cache(maxsize=64)
def exact_product(device: str, width: int) -> Product:
    """The first product that is exact on the device for digits of this width.

    Raises:
        InputError: there is none.
    """
    for product in (int8_product, float32_product, float64_product):
        if is_exact(product, device, width):
            return product
    raise InputError(
        f"device {device} has no matrix product that is exact on integers; take device=cpu"
    )


def int8_product(left: Tensor, right: Tensor) -> Tensor:
    """By the device's int8 product with int32 sums."""
    return torch._int_mm(left, right.t())


def float32_product(left: Tensor, right: Tensor) -> Tensor:
    """By float32 products of ``FLOAT32_TERMS`` coordinates at a time."""
    total = torch.zeros((len(left), len(right)), dtype=torch.int32, device=left.device)
    for k in range(0, left.shape[1], FLOAT32_TERMS):
        part = slice(k, k + FLOAT32_TERMS)
        total += (left[:, part].float() @ right[:, part].float().t()).to(torch.int32)
    return total


def float64_product(left: Tensor, right: Tensor) -> Tensor:
    """By a float64 product."""
    return (left.double() @ right.double().t()).to(torch.int32)


def is_exact(product: Product, device: str, width: int) -> bool:
    """Whether the product survives the largest digits, and some random ones, on the device."""
    draw = torch.Generator().manual_seed(width)
    left = torch.randint(-127, 128, (40, width), generator=draw)
    right = torch.randint(-127, 128, (48, width), generator=draw)
    # rows of one sign drive the sums as far as they go
    left[0], right[0], left[1], right[1] = 127, 127, -127, 127
    sides = (side.to(torch.int8).to(device) for side in (left, right))
    try:
        found = product(*sides).cpu()
    except (AttributeError, RuntimeError, TypeError):
        return False
    return bool((found == left @ right.t()).all())
