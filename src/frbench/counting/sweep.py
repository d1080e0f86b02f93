"""The sweep over all tiles: products and passes in worker threads, results taken in tile order.

Each worker computes whole tiles on its own, one core each, into buffers that it reuses; the loops
release the interpreter lock. The main thread takes the results in the order of the tiles, so that
a saved state is always "everything before tile t", and a resumed sweep continues there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from frbench.counting.digits import Digits
from frbench.counting.histograms import bin_shift, count_tile
from frbench.counting.layout import Layout, Tile, runs
from frbench.counting.products import integer_product
from frbench.counting.score import score_into
from frbench.counting.sieve import sieve, sieve_again
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
        self._coarse_add = digits.column_terms()
        self._fine_add = digits.fine_terms() if bins else self._coarse_add
        self._behind = behind_own_run(layout.subject)
        self._local = threading.local()
        self._need = (np.nan, self._coarse_add)

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
        with one_thread_each(), ThreadPoolExecutor(workers, initializer=_single) as pool:
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
        shape = (tile.r1 - tile.r0, tile.c1 - tile.c0)
        row, column = slice(tile.r0, tile.r1), slice(tile.c0, tile.c1)
        begin = tile.r0 + 1 - tile.c0 if tile.triangle else -shape[0]
        coarse = self._buffer("coarse", shape)
        integer_product(self.digits.high[row], self.digits.high[column], coarse)
        floor = tail.screen
        rows, columns = self._places(shape)
        found = sieve(
            coarse.numpy(),
            self._needed(floor)[row],
            self._coarse_add[column],
            self._starts(tile),
            rows,
            columns,
        )
        counts: tuple[tuple[int, int, Int64s], ...] = ()
        if self.bins:
            fine = self._fine(row, column, shape)
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
        place, other = rows + np.int32(tile.r0), columns + np.int32(tile.c0)
        apart = self.layout.subject[place] != self.layout.subject[other]
        first = self.layout.order[place[apart]].astype(np.int32)
        second = self.layout.order[other[apart]].astype(np.int32)
        score = np.empty(len(first), np.float32)
        score_into(self.vectors, first, second, score)
        kept = score >= floor
        first, second, score = first[kept], second[kept], score[kept]
        if tile.triangle:
            first, second = np.minimum(first, second), np.maximum(first, second)
        return first, second, score

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

    def _needed(self, floor: float) -> Int32s:
        known, need = self._need
        if known != floor:
            need = self.digits.row_terms(floor)
            self._need = (floor, need)
        return need

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


def behind_own_run(subject: Int32s) -> Int64s:
    """int64 [n]: for each place the first place behind it that another person stands at."""
    ends = np.flatnonzero(np.diff(subject, append=-1)) + 1
    return ends[np.searchsorted(ends, np.arange(len(subject)), side="right")]


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Products of a worker stay on the worker's core; the setting is put back at the end."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _single() -> None:
    torch.set_num_threads(1)
