"""What a device needs to know of the templates, and what it gives back for a tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from frbench.counting.digits import Digits
from frbench.counting.layout import Layout, Tile, runs
from frbench.values import Int32s, Int64s

DEPTH = 64
"""Digits are padded with zeros to a multiple of this: no product has a remainder in depth."""

SPARE = 64
"""Templates of zeros behind the last one, so that a product may be wider than its tile."""


@dataclass(frozen=True)
class Found:
    """What a device finds in a tile.

    Attributes:
        rows, columns: int32 [K], places within the tile of what may reach the floor, in any order.
        counts: histograms int64 [bins] of the tile, as (row group, column group, counts).
    """

    rows: Int32s
    columns: Int32s
    counts: tuple[tuple[int, int, Int64s], ...]


class Lane(Protocol):
    """Buffers on one device, for one tile at a time."""

    def find(self, tile: Tile, floor: float) -> Found | None:
        """Candidates and histograms of a tile; None if it holds more candidates than fit."""
        ...


class Uploaded:
    """Digits and terms of all templates on one device, read by all of its lanes.

    Args:
        digits: of the templates in the layout's order; two digits where bins > 0.
        layout: the comparisons.
        device: a torch device.
        bins: bins of the histogram, 0 for none.
        shift: from ``histograms.bin_shift``; not used without histogram.
    """

    def __init__(
        self, digits: Digits, layout: Layout, device: torch.device, *, bins: int, shift: int
    ) -> None:
        self.device = device
        self.layout = layout
        self.bins = bins
        self.shift = shift
        self._digits = digits
        self._needed: tuple[float, Tensor] | None = None
        self.templates = _padded(digits, device, 2 if bins else 1)
        """int8 [1 or 2, n + SPARE, W]: first digits, second digits."""
        self.add = torch.from_numpy(digits.column_terms()).to(device)
        """int32 [n], for the columns of the first digits' product."""
        fine = torch.from_numpy(digits.fine_terms()) if bins else torch.zeros(1, dtype=torch.int32)
        self.fine_add = fine.to(device)
        """int32 [n], for rows and columns of the two-digit product."""

    def need(self, floor: float) -> Tensor:
        """int32 [n]: what product and column term must reach.

        A lane holds on to the answer until its device has done with it.
        """
        known = self._needed
        if known is None or known[0] != floor:
            rows = torch.from_numpy(self._digits.row_terms(floor))
            known = (floor, rows.to(self.device))
            self._needed = known
        return known[1]

    def pieces(self, tile: Tile, side: int) -> Iterator[tuple[int, int, Tile]]:
        """The tile cut where groups change (with a histogram) and into at most ``side`` places.

        Yields (row group, column group, piece) for every piece that holds a comparison.
        """
        for a, r0, r1 in self._spans(tile.r0, tile.r1, side):
            for b, c0, c1 in self._spans(tile.c0, tile.c1, side):
                if not tile.triangle or c1 > r0 + 1:
                    yield a, b, Tile(r0, r1, c0, c1, tile.triangle)

    def _spans(self, start: int, stop: int, side: int) -> Iterator[tuple[int, int, int]]:
        groups = [(0, start, stop)]
        if self.bins:
            groups = runs(self.layout.group[start:stop], start)
        for group, a, b in groups:
            for s in range(a, b, side):
                yield group, s, min(s + side, b)


def _padded(digits: Digits, device: torch.device, parts: int) -> Tensor:
    n, width = digits.high.shape
    wide = -(-width // DEPTH) * DEPTH
    out = torch.zeros((parts, n + SPARE, wide), dtype=torch.int8, device=device)
    out[0, :n, :width] = digits.high.to(device)
    if parts == 2:
        if digits.both is None:
            raise ValueError("a histogram needs two digits a coordinate")
        out[1, :n, :width] = digits.both[0, :, width:].contiguous().to(device)
    return out
