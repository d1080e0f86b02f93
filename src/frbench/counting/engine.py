"""Everything about one set of comparisons, from templates to tail, mated scores and histogram."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from frbench.counting.checkpoint import Checkpoint, State
from frbench.counting.devices import sweep_of
from frbench.counting.digits import Digits, digits
from frbench.counting.floors import Sample, draw_sample, guess_floor
from frbench.counting.histograms import bin_edges, move_mated
from frbench.counting.images import Images
from frbench.counting.layout import Layout, lay_out, non_mated_comparisons
from frbench.counting.mated import mated_pairs
from frbench.counting.plan import Plan, choose
from frbench.counting.products import one_core_each
from frbench.counting.score import scores
from frbench.counting.sweep import Sweep, TileResult
from frbench.counting.tail import Tail
from frbench.values import Float32s, Histogram, Int64s, ScoredPairs

Progress = Callable[[int, int], None]

CAUTION = (4.0, 40.0, math.inf)
"""Standard deviations by which the guessed floor lies low, in the first and the repeated sweeps."""


@dataclass(frozen=True)
class Settings:
    """What to keep, and how to work; see ``comparison.ComparisonSpec``."""

    keep_fmr: float
    keep_all: int
    limit: int
    bins: int
    tile: int
    workers: int
    devices: tuple[str, ...] = ()

    def kept(self, comparisons: int) -> int:
        """How many of the highest non-mated scores must be kept.

        One more than the errors allowed at the largest target: a threshold lies just above the
        first score that is too many.
        """
        wanted = comparisons
        if comparisons > self.keep_all:
            # the decimal as typed, as for thresholds: in binary 0.0003 * 2170000 is below 651
            share = Fraction(repr(float(self.keep_fmr)))
            wanted = min(math.floor(share * comparisons) + 1, comparisons)
        return min(wanted, self.limit)


@dataclass(frozen=True)
class Counted:
    """The parts of a ScoreTally that the engine finds."""

    mated: ScoredPairs
    tail: ScoredPairs
    floor: float
    histogram: Histogram | None
    work: dict[str, float | int | str]


def count_all(
    vectors: Float32s,
    images: Images,
    groups: int,
    settings: Settings,
    *,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> Counted:
    """Count all comparisons of ``images``.

    Args:
        vectors: float32 [N, D], C-contiguous.
        images: codes of the N images.
        groups: number of groups G.
        settings: what to keep, and how to work.
        progress: told (comparisons done, comparisons in all).
        checkpoint: folder for the state of an unfinished run.
    """
    layout = lay_out(images)
    split = digits(vectors, layout.order, bins=settings.bins, workers=settings.workers)
    counts = np.zeros((2, groups, groups, settings.bins), np.int64) if settings.bins else None
    keeper = Checkpoint(
        checkpoint,
        {"settings": settings, "groups": groups, "vectors": vectors, **vars(images)}
        if checkpoint
        else {},
    )
    run = _Run(vectors, layout, split, settings, counts, keeper, progress)
    tail = run.sweep(non_mated_comparisons(images))
    pairs = mated_pairs(images)
    with ThreadPoolExecutor(1) as aside:
        # sorting takes one core, so that scoring may take the others meanwhile
        sorting = aside.submit(tail.finish)
        mated = scores(vectors, *pairs, workers=settings.workers)
        first, second, score, floor = sorting.result()
    histogram = None
    if counts is not None:
        move_mated(counts, split, images, layout, pairs)
        histogram = Histogram(bin_edges(split, settings.bins), counts, split.fine_error)
    keeper.clear()
    return Counted(
        ScoredPairs(*pairs, mated),
        ScoredPairs(first, second, score),
        floor,
        histogram,
        run.work,
    )


class _Run:
    """The sweep with its bookkeeping: floor guess, repetition, progress and saved state."""

    def __init__(
        self,
        vectors: Float32s,
        layout: Layout,
        split: Digits,
        settings: Settings,
        counts: Int64s | None,
        keeper: Checkpoint,
        progress: Progress | None,
    ) -> None:
        self.vectors, self.layout, self.split = vectors, layout, split
        self.settings, self.counts, self.keeper = settings, counts, keeper
        self.progress = progress
        self.done_tiles = self.done = self.screened = 0
        self.work: dict[str, float | int | str] = {}

    def sweep(self, comparisons: int) -> Tail:
        """The tail of all comparisons; sweeps again where the guessed floor was too high."""
        keep = self.settings.kept(comparisons)
        limit = max(self.settings.limit, keep)
        state = self.keeper.load()
        sweep = sweep_of(
            self.vectors,
            self.layout,
            self.split,
            size=self.settings.tile,
            bins=self.settings.bins,
            devices=self.settings.devices,
        )
        share = keep / comparisons if comparisons else 1.0
        sample = self._sample(share) if keep < comparisons else None
        for sweeps, caution in enumerate(CAUTION, start=1):
            tail = Tail(keep=keep, limit=limit, guess=-math.inf)
            if state is not None:
                self._restore(state, tail)
                state = None
            else:
                guess = -math.inf
                if sample is not None and caution < math.inf:
                    guess = guess_floor(sample, share, caution=caution)
                tail = Tail(keep=keep, limit=limit, guess=guess)
            plan = self._plan(sample, tail.guess)
            sweep.follow(plan)
            if self.counts is not None and self.done_tiles == 0:
                self.counts[1] = 0
            self._one(sweep, tail)
            self.work |= {
                "sweeps": sweeps,
                "way": plan.way,
                "way_chosen": plan.reason,
                "tile": self.settings.tile,
                "workers": self.settings.workers,
                "devices": sweep.names,
                "comparisons": comparisons,
                "screened_band": self.split.band(),
                "recomputed": self.screened,
            }
            if tail.complete:
                break
        return tail

    def _sample(self, share: float) -> Sample:
        rng = np.random.default_rng(0)
        return draw_sample(self.vectors, self.layout, share, rng, workers=self.settings.workers)

    def _plan(self, sample: Sample | None, floor: float) -> Plan:
        if self.settings.bins:
            return Plan("digits", "the histogram takes both digits of every comparison")
        if self.settings.devices:
            return Plan("digits", "devices search by the first digits")
        parts = (self.vectors, self.layout, self.split, sample, floor)
        # in a thread of its own: small products only lose by being shared among cores
        with one_core_each(1) as pool:
            return pool.submit(choose, *parts, workers=self.settings.workers).result()

    def _one(self, sweep: Sweep, tail: Tail) -> None:
        total = self.layout.pairs

        def after(done: int, result: TileResult) -> None:
            self.done_tiles = done
            self.done += result.tile.comparisons
            self.screened += result.screened
            if self.keeper.due:
                self.keeper.save(self._state(tail))
            if self.progress is not None:
                self.progress(self.done, total)

        counts = None if self.counts is None else self.counts[1]
        sweep.run(tail, counts, workers=self.settings.workers, skip=self.done_tiles, after=after)
        self.done_tiles = self.done = 0

    def _state(self, tail: Tail) -> State:
        counts = np.zeros(0, np.int64) if self.counts is None else self.counts
        numbers = np.array([self.done_tiles, self.done, self.screened])
        return {**tail.state(), "counts": counts, "numbers": numbers}

    def _restore(self, state: State, tail: Tail) -> None:
        tail.restore(state)
        self.done_tiles, self.done, self.screened = state["numbers"].tolist()
        if self.counts is not None:
            self.counts[:] = state["counts"]
