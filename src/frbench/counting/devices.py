"""The sweep with tiles searched on devices; the processor scores what they find.

A tile goes through three hands at once with others: a lane searches it (``Lane.find``), its
candidates get their exact scores from the processor's threads, and the main thread takes the
results in the order of the tiles. Each device has two lanes, so that it works on one tile while
the findings of another are copied; a tile goes to whichever lane is free, row of tiles by row.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch

from frbench.counting.digits import Digits
from frbench.counting.layout import Layout, Tile
from frbench.counting.sweep import Sweep, TileResult
from frbench.counting.tail import Tail
from frbench.counting.trial import tiles_for, usable
from frbench.counting.uploaded import Found, Lane, Uploaded
from frbench.values import Float32s, Int64s

LANES = 2
"""Lanes a device."""

TIMES, WIDEST = 32, 32768
"""A device's tile is this many times as wide as the processor's, and at most this wide: then its
comparisons, and with them every count, are fewer than 2**31."""

CHUNK = 2**16
"""Candidates that one thread scores at a time."""

Scored = tuple[Any, Any, Any]


class DeviceSweep(Sweep):
    """All comparisons of a layout, searched on devices; the result is that of ``Sweep``.

    Args:
        vectors, layout, digits, size, bins: as for ``Sweep``.
        devices: torch devices; one that is named twice works twice.

    Raises:
        InputError: there is no such device.
    """

    def __init__(
        self,
        vectors: Float32s,
        layout: Layout,
        digits: Digits,
        *,
        size: int,
        bins: int,
        devices: Sequence[str],
    ) -> None:
        super().__init__(vectors, layout, digits, size=size, bins=bins)
        self._lanes: list[Lane] = []
        self._idle: SimpleQueue[Lane] = SimpleQueue()
        names = []
        for name in devices:
            device = usable(name)
            make = tiles_for(device, bins > 0)
            names.append(f"{device} ({make.name})")
            uploaded = Uploaded(digits, layout, device, bins=bins, shift=self._shift)
            self._lanes += [make(uploaded) for _ in range(LANES)]
            if device.type == "cuda":
                # the lanes work on streams of their own
                torch.cuda.synchronize(device)
        for lane in self._lanes:
            self._idle.put(lane)
        self.names = ", ".join(names)

    def run(
        self,
        tail: Tail,
        counts: Int64s | None,
        *,
        workers: int,
        skip: int = 0,
        after: Callable[[int, TileResult], None],
    ) -> None:
        """Sweep the tiles from number ``skip`` on; arguments as for ``Sweep.run``."""
        # without a guess everything is a candidate, and wide tiles would hold too many of them;
        # the guess is part of a saved state, so that a resumed sweep has the same tiles
        wide = self.size if tail.guess == -math.inf else min(TIMES * self.size, WIDEST)
        tiles = islice(self.layout.tiles(wide), skip, None)
        drivers = 2 * len(self._lanes)
        done = skip
        with ThreadPoolExecutor(workers) as scorers, ThreadPoolExecutor(drivers) as pool:

            def submit(tile: Tile) -> Future[TileResult]:
                return pool.submit(self._work, tile, tail, scorers)

            for result in _in_order(tiles, submit, drivers):
                done += 1
                self._take(result, tail, counts, done, after)

    def _work(self, tile: Tile, tail: Tail, scorers: ThreadPoolExecutor) -> TileResult:
        floor = tail.screen
        screened = 0
        scored: list[Scored] = [(np.empty(0, np.int32),) * 2 + (np.empty(0, np.float32),)]
        counts: list[tuple[int, int, Int64s]] = []
        for part, found in self._find(tile, floor):
            screened += len(found.rows)
            counts += found.counts
            chunks = [slice(s, s + CHUNK) for s in range(0, len(found.rows), CHUNK)]
            places = [(found.rows[c], found.columns[c]) for c in chunks]
            futures = [scorers.submit(self._score, part, *each, floor) for each in places]
            scored += [future.result() for future in futures]
        first, second, score = (np.concatenate(column) for column in zip(*scored, strict=True))
        return TileResult(tile, first, second, score, screened, tuple(counts))

    def _find(self, tile: Tile, floor: float) -> Iterator[tuple[Tile, Found]]:
        lane = self._idle.get()
        try:
            found = lane.find(tile, floor)
        finally:
            self._idle.put(lane)
        if found is not None:
            yield tile, found
            return
        for half in _halves(tile):
            yield from self._find(half, floor)


def _in_order(
    tiles: Iterator[Tile], submit: Callable[[Tile], Future[TileResult]], ahead: int
) -> Iterator[TileResult]:
    waiting: deque[Future[TileResult]] = deque()
    try:
        for tile in tiles:
            waiting.append(submit(tile))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _halves(tile: Tile) -> tuple[Tile, Tile]:
    if tile.r1 - tile.r0 > 1:
        middle = (tile.r0 + tile.r1) // 2
        return (
            Tile(tile.r0, middle, tile.c0, tile.c1, tile.triangle),
            Tile(middle, tile.r1, tile.c0, tile.c1, tile.triangle),
        )
    middle = (tile.c0 + tile.c1) // 2
    return (
        Tile(tile.r0, tile.r1, tile.c0, middle, tile.triangle),
        Tile(tile.r0, tile.r1, middle, tile.c1, tile.triangle),
    )


def sweep_of(
    vectors: Float32s,
    layout: Layout,
    digits: Digits,
    *,
    size: int,
    bins: int,
    devices: Sequence[str],
) -> Sweep:
    """The sweep for these devices; that of the processor where none is named."""
    if not devices:
        return Sweep(vectors, layout, digits, size=size, bins=bins)
    return DeviceSweep(vectors, layout, digits, size=size, bins=bins, devices=devices)
