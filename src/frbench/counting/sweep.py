"""The sweep over all tiles: products and passes in worker threads, results taken in tile order.

Each worker computes whole tiles on its own, one core each, into buffers that it reuses; the loops
release the interpreter lock. The main thread takes the results in the order of the tiles, so that
a saved state is always "everything before tile t", and a resumed sweep continues there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from frbench.counting.digits import Digits
from frbench.counting.histograms import bin_shift, count_tile
from frbench.counting.layout import Layout, Tile, runs
from frbench.counting.plan import Plan
from frbench.counting.products import integer_product, one_core_each
from frbench.counting.score import score_places, score_tile
from frbench.counting.sieve import sieve, sieve_again, sieve_listed
from frbench.counting.tail import Tail
from frbench.values import Float32s, Int32s, Int64s


@dataclass(frozen=True)
class TileResult:
    """What one tile gives: candidates with their scores, and histograms per pair of groups."""

    tile: Tile
    first: Int32s
    second: Int32s
    score: Float32s
    screened: int
    counts: tuple[tuple[int, int, Int64s], ...]


class Sweep:
    """All comparisons of a layout, tile by tile.

    Attributes:
        names: of the devices in use, for the record.

    Args:
        vectors: float32 [N, D].
        layout: the comparisons.
        digits: of ``vectors[layout.order]``; two digits where bins > 0.
        size: rows and columns of a tile.
        bins: bins of the histogram, 0 for none.
    """

    names = "cpu"

    def __init__(
        self, vectors: Float32s, layout: Layout, digits: Digits, *, size: int, bins: int
    ) -> None:
        self.vectors = vectors
        self.layout = layout
        self.digits = digits
        self.size = size
        self.bins = bins
        self._shift = bin_shift(digits, bins) if bins else 0
        self._terms = Terms(digits)
        self._front: Terms | None = None
        self._direct = False
        self._fine_add = digits.fine_terms() if bins else self._terms.add
        self._behind = behind_own_run(layout.subject)
        self._local = threading.local()

    def follow(self, plan: Plan) -> None:
        """Search the tiles from now on in the planned way."""
        self._front = None if plan.front is None else Terms(plan.front)
        self._direct = plan.way == "direct"

    def run(
        self,
        tail: Tail,
        counts: Int64s | None,
        *,
        workers: int,
        skip: int = 0,
        after: Callable[[int, TileResult], None],
    ) -> None:
        """Sweep the tiles from number ``skip`` on into ``tail`` and ``counts``.

        Args:
            tail: takes the candidates; its screen is the floor that tiles are sieved by.
            counts: int64 [G, G, B], added to; None without histogram.
            workers: threads.
            skip: tiles already taken in.
            after: called with (tiles done, result) once a tile is taken in.
        """
        waiting: deque[Future[TileResult]] = deque()
        tiles = islice(self.layout.tiles(self.size), skip, None)
        done = skip
        with one_core_each(workers) as pool:
            try:
                for tile in tiles:
                    waiting.append(pool.submit(self.tile, tile, tail))
                    if len(waiting) > 2 * workers:
                        done += 1
                        self._take(waiting.popleft().result(), tail, counts, done, after)
                while waiting:
                    done += 1
                    self._take(waiting.popleft().result(), tail, counts, done, after)
            finally:
                for future in waiting:
                    future.cancel()

    def tile(self, tile: Tile, tail: Tail) -> TileResult:
        """One tile: product, sieve, exact scores of what passed, histograms."""
        floor = tail.screen
        if self._direct:
            return self._score_all(tile, floor)
        shape = (tile.r1 - tile.r0, tile.c1 - tile.c0)
        row, column = slice(tile.r0, tile.r1), slice(tile.c0, tile.c1)
        front = self._front or self._terms
        coarse = self._buffer("coarse", shape)
        integer_product(front.high[row], front.high[column], coarse)
        rows, columns = self._places(shape)
        found = sieve(
            coarse.numpy(),
            front.need(floor)[row],
            front.add[column],
            self._starts(tile),
            rows,
            columns,
        )
        counts: tuple[tuple[int, int, Int64s], ...] = ()
        if self._front is not None:
            found = sieve_listed(
                self._terms.digits[row],
                self._terms.digits[column],
                self._terms.need(floor)[row],
                self._terms.add[column],
                rows[:found],
                columns[:found],
            )
        if self.bins:
            fine = self._fine(row, column, shape)
            begin = tile.r0 + 1 - tile.c0 if tile.triangle else -shape[0]
            counts = self._count(tile, coarse, fine, begin)
            found = sieve_again(
                coarse.numpy(),
                fine.numpy(),
                self._fine_add[row],
                self._fine_add[column],
                self.digits.fine_need(floor),
                rows[:found],
                columns[:found],
            )
        first, second, score = self._score(tile, rows[:found], columns[:found], floor)
        return TileResult(tile, first, second, score, found, counts)

    def _score_all(self, tile: Tile, floor: float) -> TileResult:
        rows, columns = self._places((tile.r1 - tile.r0, tile.c1 - tile.c0))
        score = np.empty(len(rows), np.float32)
        kept, scored = score_tile(
            self.vectors,
            self.layout.order,
            self.layout.subject,
            (tile.r0, tile.r1, tile.c0, tile.c1),
            tile.triangle,
            self._starts(tile),
            floor,
            rows,
            columns,
            score,
        )
        found = (rows[:kept].copy(), columns[:kept].copy(), score[:kept].copy())
        return TileResult(tile, *found, scored, ())

    def _starts(self, tile: Tile) -> Int32s:
        """int32 [R]: the first column of each row that may hold another person."""
        if not tile.triangle:
            return np.zeros(tile.r1 - tile.r0, np.int32)
        behind = self._behind[tile.r0 : tile.r1] - tile.c0
        starts: Int32s = np.clip(behind, 0, tile.c1 - tile.c0).astype(np.int32)
        return starts

    def _score(
        self, tile: Tile, rows: Int32s, columns: Int32s, floor: float
    ) -> tuple[Int32s, Int32s, Float32s]:
        score = np.empty(len(rows), np.float32)
        kept = score_places(
            self.vectors,
            self.layout.order,
            self.layout.subject,
            (tile.r0, tile.c0),
            tile.triangle,
            rows,
            columns,
            floor,
            score,
        )
        # the lists belong to the worker, which goes on to its next tile
        return rows[:kept].copy(), columns[:kept].copy(), score[:kept]

    def _fine(self, row: slice, column: slice, shape: tuple[int, int]) -> torch.Tensor:
        both = self.digits.both
        if both is None:
            raise ValueError("a histogram needs two digits a coordinate")
        fine = self._buffer("fine", shape)
        integer_product(both[0, row], both[1, column], fine)
        return fine

    def _count(
        self, tile: Tile, coarse: torch.Tensor, fine: torch.Tensor, begin: int
    ) -> tuple[tuple[int, int, Int64s], ...]:
        row, column = slice(tile.r0, tile.r1), slice(tile.c0, tile.c1)
        out = []
        for a, r0, r1 in runs(self.layout.group[row]):
            for b, c0, c1 in runs(self.layout.group[column]):
                counts = np.zeros(self.bins, np.int64)
                count_tile(
                    coarse.numpy(),
                    fine.numpy(),
                    self._fine_add[row],
                    self._fine_add[column],
                    (r0, r1, c0, c1),
                    begin,
                    self._shift,
                    counts,
                )
                out.append((a, b, counts))
        return tuple(out)

    def _take(
        self,
        result: TileResult,
        tail: Tail,
        counts: Int64s | None,
        done: int,
        after: Callable[[int, TileResult], None],
    ) -> None:
        tail.add(result.first, result.second, result.score)
        if counts is not None:
            for a, b, more in result.counts:
                counts[a, b] += more
        after(done, result)

    def _buffer(self, name: str, shape: tuple[int, int]) -> torch.Tensor:
        flat = getattr(self._local, name, None)
        if flat is None:
            flat = torch.empty(self.size * self.size, dtype=torch.int32)
            setattr(self._local, name, flat)
        return flat[: shape[0] * shape[1]].view(shape)

    def _places(self, shape: tuple[int, int]) -> tuple[Int32s, Int32s]:
        if not hasattr(self._local, "rows"):
            self._local.rows = np.empty(self.size * self.size, np.int32)
            self._local.columns = np.empty(self.size * self.size, np.int32)
        return self._local.rows, self._local.columns


class Terms:
    """Digits with the terms that turn their product into a sieve.

    Attributes:
        high: int8 [n, W]; digits: the same as an array.
        add: int32 [n], for the columns.
    """

    def __init__(self, digits: Digits) -> None:
        self.high = digits.high
        self.digits = digits.high.numpy()
        self.add = digits.column_terms()
        self._terms = digits.row_terms
        self._known = (np.nan, self.add)

    def need(self, floor: float) -> Int32s:
        """int32 [n]: what product and column term must reach."""
        known, need = self._known
        if known != floor:
            need = self._terms(floor)
            self._known = (floor, need)
        return need


def behind_own_run(subject: Int32s) -> Int64s:
    """int64 [n]: for each place the first place behind it that another person stands at."""
    ends = np.flatnonzero(np.diff(subject, append=-1)) + 1
    return ends[np.searchsorted(ends, np.arange(len(subject)), side="right")]
