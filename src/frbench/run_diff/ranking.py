"""The panel's question: which matcher yields most at the rate approved for the worst group?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from frbench.cell_errors import CountedErrors, divide
from frbench.frontier import grid
from frbench.intervals.wilson_effective import SCARCE, WilsonEffective
from frbench.run_diff.comparable import Common, same_comparisons
from frbench.run_diff.loaded import LoadedRun
from frbench.run_diff.moved import adjusted
from frbench.run_diff.tests_of_change import Change, change_of
from frbench.values import UNLABELLED, Int64s

RANKING_COLUMNS = (
    "rank_from", "rank_to", "run", "name", "matcher", "answer", "threshold", "worst_group",
    "worst_fmr", "worst_high", "tmr", "tmr_low", "tmr_high", "least_group", "least_tmr",
    "least_low", "least_high", "level", "reason",
)  # fmt: skip
"""A row per run, best first. answer: ``meets`` (the worst group's rate is shown to be at or below
the approved one from ``threshold`` on) or ``not shown``. rank_from, rank_to: places that the
comparisons leave open; runs whose spans overlap are tied. worst_high: upper end of an interval of
the highest rate of all groups. tmr = 1 - FNMR, the yield, failures to enrol being misses, with an
interval that holds the uncertainty of the threshold too. least_group: the group recognised least,
its interval at the threshold as it stands. reason: why nothing is shown, or what limits the
answer."""

POINTS = 48
STEPS = 20


@dataclass(frozen=True)
class Approved:
    """What the panel approved.

    Attributes:
        worst_group_fmr: the false-match rate that no group may exceed, a fraction.
        level: confidence level of the upper limit, simultaneous over the groups, and of all tests.
    """

    worst_group_fmr: float = 1e-3
    level: float = 0.95


@dataclass(frozen=True)
class _Limit:
    """The groups' highest rate at one threshold."""

    threshold: float
    group: str
    rate: float
    low: float
    high: float
    errors: int


@dataclass(frozen=True)
class _Place:
    """Where one run may operate; ``limit`` is the lowest found where nothing is shown."""

    run: LoadedRun
    limit: _Limit
    meets: bool
    reason: str

    @cached_property
    def misses(self) -> CountedErrors:
        """False non-matches at the threshold."""
        return self.run.counted.false_non_matches(np.float64(self.limit.threshold))

    @cached_property
    def misses_around(self) -> tuple[int, int]:
        """Pooled misses at the thresholds one standard error below and above.

        They are the scores at which the worst group's measured rate is the upper and the lower
        end of its interval at one standard error (Woodruff, JASA 1952).
        """
        tally, value = self.run.tally, self.limit.threshold
        group = tally.groups.index(self.limit.group)
        matches = self.run.counted.false_matches(np.float64(value))
        part = WilsonEffective(level=float(2 * stats.norm.cdf(1) - 1))
        bounds = part.bounds(matches, rng=np.random.default_rng(0))
        own = (tally.group[tally.tail.first] == group) & (tally.group[tally.tail.second] == group)
        scores = np.sort(tally.tail.score[own])[::-1]
        found = []
        for rate in (bounds.high[group], bounds.low[group]):
            rank = int(rate * matches.comparisons[group])
            at = scores[min(rank, len(scores) - 1)] if len(scores) else value
            misses = self.run.counted.false_non_matches(np.float64(max(at, tally.floor)))
            found.append(int(misses.errors[-1]))
        return min(found[0], int(self.misses.errors[-1])), max(
            found[1], int(self.misses.errors[-1])
        )

    @property
    def threshold_spread(self) -> float:
        """Standard error of the log of the miss rate that comes from the threshold alone."""
        fewer, more = self.misses_around
        return float(np.log((more + 0.5) / (fewer + 0.5)) / 2)


def ranking(runs: Sequence[LoadedRun], common: Common, approved: Approved) -> pd.DataFrame:
    """The table of ``RANKING_COLUMNS``.

    Yields are compared pair by pair (paired where the comparisons are the same) with Holm's
    correction over all pairs; a run's first possible place is 1 + the number of runs that yield
    significantly more, its last one is the number of runs less those that yield significantly
    less. The spans hold for all runs at once (rank confidence sets: Mogstad, Romano, Shaikh and
    Wilhelm, Rev. Econ. Stud. 2024).
    """
    places = [operating_place(run, approved) for run in runs]
    able = [place for place in places if place.meets]
    above, below = _beaten(able, approved)
    rows = [_row(place, approved) for place in places]
    for row in rows:
        letter = str(row["run"])
        if row["answer"] == "meets":
            row["rank_from"] = 1 + above[letter]
            row["rank_to"] = len(able) - below[letter]
    table = pd.DataFrame(rows, columns=list(RANKING_COLUMNS))
    table = table.astype({"rank_from": "Int64", "rank_to": "Int64"})
    return table.sort_values(
        ["answer", "tmr"], ascending=[True, False], kind="stable", ignore_index=True
    )


def operating_place(run: LoadedRun, approved: Approved) -> _Place:
    """The lowest threshold from which the worst group is shown to meet the approved rate.

    Thresholds are tried on a grid. Where the worst group's upper limit rests on fewer than 5
    errors it is a rule of three on persons, wider than with more errors at a lower threshold;
    such points above one that meets the rate do not count against it, because a false-match rate
    falls as the threshold rises.
    """
    limits = [worst_at(run, value, approved.level) for value in grid(run.tally, POINTS, [])]
    met = [each.high <= approved.worst_group_fmr for each in limits]
    failed = [at for at, each in enumerate(limits) if not met[at] and each.errors >= SCARCE]
    able = [at for at in range(max(failed, default=-1) + 1, len(limits)) if met[at]]
    if not able:
        least = min(limits, key=lambda each: each.high)
        return _Place(run, least, False, _why(limits, approved))
    if able[0] == 0:
        at_floor = "the lowest threshold with all scores listed; a lower one may do as well"
        return _Place(run, limits[0], True, at_floor)
    crossing = _refined(run, limits[able[0] - 1], limits[able[0]], approved)
    return _Place(run, crossing, True, "")


def worst_at(run: LoadedRun, value: float, level: float) -> _Limit:
    """The highest upper limit of the groups' rates, at level 1 - (1 - level) / G each."""
    matches = run.counted.false_matches(np.float64(value))
    used = _used(run, matches)
    part = WilsonEffective(level=1 - (1 - level) / max(len(used), 1))
    bounds = part.bounds(matches, rng=np.random.default_rng(0))
    rate = divide(matches.errors, matches.comparisons)
    worst = int(used[int(np.argmax(bounds.high[used]))])
    highest = int(used[int(np.argmax(rate[used]))])
    return _Limit(
        value,
        run.tally.groups[worst],
        float(rate[highest]),
        float(bounds.low[used].max()),
        float(bounds.high[worst]),
        int(matches.errors[worst]),
    )


def _used(run: LoadedRun, errors: CountedErrors) -> Int64s:
    groups = run.tally.groups
    return np.array(
        [at for at, name in enumerate(groups) if name != UNLABELLED and errors.comparisons[at] > 0],
        dtype=np.int64,
    )


def _refined(run: LoadedRun, fails: _Limit, meets: _Limit, approved: Approved) -> _Limit:
    """The crossing between two thresholds, by halving the listed scores between them."""
    scores = run.tally.tail.score
    between = np.unique(scores[(scores > fails.threshold) & (scores < meets.threshold)])
    low, high = -1, len(between)
    for _ in range(STEPS):
        if high - low < 2:
            break
        middle = (low + high) // 2
        found = worst_at(run, float(between[middle]), approved.level)
        if found.high <= approved.worst_group_fmr:
            high, meets = middle, found
        else:
            low = middle
    return meets


def _why(limits: Sequence[_Limit], approved: Approved) -> str:
    least = min(limits, key=lambda each: each.high)
    if min(each.low for each in limits) > approved.worst_group_fmr:
        return f"even at the highest scores “{least.group}” is above the approved rate"
    return (
        f"too few persons to show it: the best upper limit, of “{least.group}”, is "
        f"{least.high:.2g}, and the approved rate {approved.worst_group_fmr:g}; frbench plan says "
        "how many it takes"
    )


def _beaten(places: Sequence[_Place], approved: Approved) -> tuple[dict[str, int], dict[str, int]]:
    """Per run, how many yield significantly more and how many significantly less."""
    above = {place.run.letter: 0 for place in places}
    below = dict(above)
    pairs = list(itertools.combinations(places, 2))
    changes = [_yields(one, other, approved.level) for one, other in pairs]
    p_values = adjusted(
        np.array([_p_value(*pair, c) for pair, c in zip(pairs, changes, strict=True)]), "holm"
    )
    for (one, other), change, p_value in zip(pairs, changes, p_values, strict=True):
        if not p_value < 1 - approved.level:
            continue
        # the ratio is that of misses, so above 1 it is `one` that yields more
        more = one if float(change.ratio[-1]) > 1 else other
        fewer = other if more is one else one
        below[more.run.letter] += 1
        above[fewer.run.letter] += 1
    return above, below


def _yields(one: _Place, other: _Place, level: float) -> Change:
    # only the pooled cell is read, which stands last whatever the order of the groups
    paired = same_comparisons(one.run, other.run)
    return change_of(one.misses, other.misses, paired=paired, level=level)


def _p_value(one: _Place, other: _Place, change: Change) -> float:
    """Of "both yield alike", the thresholds' own uncertainty added as if they were independent."""
    given, spread = float(change.p_value[-1]), float(change.spread[-1])
    if not spread > 0:
        return given
    wider = np.sqrt(spread**2 + one.threshold_spread**2 + other.threshold_spread**2)
    ratio = float(change.ratio[-1])
    return max(given, 2 * float(stats.norm.sf(abs(np.log(ratio)) / wider)))


def _row(place: _Place, approved: Approved) -> dict[str, object]:
    run, limit = place.run, place.limit
    row: dict[str, object] = {
        "run": run.letter,
        "name": run.name,
        "matcher": str(run.matcher.get("name", "")),
        "answer": "meets" if place.meets else "not shown",
        "threshold": limit.threshold if place.meets else np.nan,
        "worst_group": limit.group,
        "worst_fmr": limit.rate,
        "worst_high": limit.high,
        "level": approved.level,
        "reason": place.reason,
    }
    if not place.meets:
        return row
    misses = place.misses
    bounds = WilsonEffective(level=approved.level).bounds(misses, rng=np.random.default_rng(0))
    rate = divide(misses.errors, misses.comparisons)
    z = float(stats.norm.ppf((1 + approved.level) / 2))
    fewer, more = (
        z * abs(count - int(misses.errors[-1])) / max(int(misses.comparisons[-1]), 1)
        for count in place.misses_around
    )
    row |= {
        "tmr": 1 - float(rate[-1]),
        "tmr_low": max(1 - float(rate[-1] + np.hypot(bounds.high[-1] - rate[-1], more)), 0.0),
        "tmr_high": min(1 - float(rate[-1] - np.hypot(rate[-1] - bounds.low[-1], fewer)), 1.0),
    }
    used = _used(run, misses)
    if len(used):
        least = int(used[int(np.argmax(rate[used]))])
        row |= {
            "least_group": run.tally.groups[least],
            "least_tmr": 1 - float(rate[least]),
            "least_low": 1 - float(bounds.high[least]),
            "least_high": 1 - float(bounds.low[least]),
        }
    return row
