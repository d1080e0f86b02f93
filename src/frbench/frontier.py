"""The frontier: for every threshold, how the worst group fares against what the matcher yields.

So that "0.60 is fair, 0.58 is not" becomes a curve with the operating point on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from frbench.cell_errors import CountedErrors, divide
from frbench.counted import Counted
from frbench.errors import InputError
from frbench.intervals import Interval
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.thresholds import completed_non_mated
from frbench.values import UNLABELLED, Float64s, Int64s, ScoreTally, Threshold
from frbench.watchlist import Watchlist
from frbench.watchlist_forecast import forecast

FRONTIER_COLUMNS = (
    "arm", "threshold", "operating_point", "pooled_fmr", "worst_group", "worst_fmr", "worst_low",
    "worst_high", "tmr", "least_group", "least_tmr", "least_low", "least_high", "level", "errors",
    "watchlist_size", "fpir_group", "worst_fpir", "fpir_low", "fpir_high",
)  # fmt: skip
"""FrontierTable, a row per threshold, ascending. operating_point: its name at an operating point,
else "". worst_group, worst_fmr: the group with the highest within-group FMR; worst_low, _high: an
interval of the highest rate of all groups, simultaneous over them. tmr = 1 - FNMR pooled;
least_group, least_tmr: the group recognised least, likewise. errors: false matches of the worst
group. The last four: FPIR on the watchlist that was asked for, NaN without one. With one reference
a person and any rank, TPIR at a threshold is the TMR."""


@dataclass(frozen=True)
class FrontierSpec:
    """The curve's grid and watchlist (config node ``frontier``).

    Attributes:
        points: thresholds on the grid, besides the operating points; 0 for no frontier.
        watchlist: group -> persons on the list for FPIR; empty for none.
    """

    points: int = 24
    watchlist: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.points, int) or self.points < 0:
            raise InputError(f"points={self.points} must be a whole number, not negative")
        if not isinstance(self.watchlist or {}, Mapping):
            raise InputError(f"watchlist={self.watchlist} must be like {{north: 500, south: 1500}}")
        object.__setattr__(self, "watchlist", dict(self.watchlist or {}))
        if self.watchlist:
            Watchlist(self.watchlist)


def frontier(
    tally: ScoreTally,
    thresholds: Sequence[Threshold],
    *,
    spec: FrontierSpec,
    interval: Interval,
    rng: np.random.Generator,
    arm: str = "",
) -> pd.DataFrame:
    """The table of ``FRONTIER_COLUMNS``; empty with fewer than two groups or no points.

    The interval of the highest rate: with each group's at level 1 - (1 - level) / G, the highest
    lower end and the highest upper end hold for the largest true rate at ``level`` (Bonferroni),
    whichever group it is. The closed form serves, whatever ``interval`` is, for its level.
    """
    counted = Counted(tally)
    used = np.array(
        [
            at
            for at, name in enumerate(tally.groups)
            if name != UNLABELLED and counted.attempted.total[at] > 0
        ],
        dtype=np.int64,
    )
    if len(used) < 2 or spec.points == 0:
        return pd.DataFrame(columns=list(FRONTIER_COLUMNS))
    named = {each.value: each.label for each in thresholds if each.value >= tally.floor}
    watchlist = Watchlist(spec.watchlist) if spec.watchlist else None
    rows = []
    for value in grid(tally, spec.points, list(named)):
        row = _at(counted, value, used, interval.level, rng)
        row |= {"arm": arm, "operating_point": named.get(value, "")}
        row |= _searched(tally, value, watchlist, interval, rng)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(FRONTIER_COLUMNS))


def grid(tally: ScoreTally, points: int, also: Sequence[float]) -> list[float]:
    """Thresholds ascending, evenly spaced in log FMR from the floor to one false match."""
    comparisons = completed_non_mated(tally)
    listed = np.sort(tally.tail.score)[::-1]
    largest = min(0.1 * comparisons, len(listed))
    if largest < 2:
        return sorted(also)
    ranks = np.unique(np.geomspace(1, largest, points).round().astype(np.int64))
    values = {float(listed[rank - 1]) for rank in ranks} | set(also)
    return sorted(values)


def _at(
    counted: Counted, value: float, used: Int64s, level: float, rng: np.random.Generator
) -> dict[str, object]:
    """One threshold's row without its keys."""
    threshold = np.float64(value)
    matches, misses = counted.false_matches(threshold), counted.false_non_matches(threshold)
    groups, pooled = counted.cells.groups, counted.cells.pooled
    rate, low, high = _extreme(matches, used, level, rng)
    missed, least, most = _extreme(misses, used, level, rng)
    worst = int(used[int(np.nanargmax(rate))])
    known = not np.isnan(missed).all()
    last = int(used[int(np.nanargmax(missed))]) if known else -1
    return {
        "threshold": value,
        "pooled_fmr": float(divide(matches.errors, matches.comparisons)[pooled]),
        "worst_group": groups[worst],
        "worst_fmr": float(np.nanmax(rate)),
        "worst_low": low,
        "worst_high": high,
        "tmr": 1 - float(divide(misses.errors, misses.comparisons)[pooled]),
        "least_group": groups[last] if known else "",
        "least_tmr": 1 - float(np.nanmax(missed)) if known else np.nan,
        "least_low": 1 - most,
        "least_high": 1 - least,
        "level": level,
        "errors": int(matches.errors[worst]),
    }


def _extreme(
    errors: CountedErrors, used: Int64s, level: float, rng: np.random.Generator
) -> tuple[Float64s, float, float]:
    """The groups' rates, and the interval of the highest of them."""
    rate = divide(errors.errors, errors.comparisons)[used]
    part = WilsonEffective(level=1 - (1 - level) / len(used))
    bounds = part.bounds(errors, rng=rng)
    present = ~np.isnan(rate)
    if not present.any():
        return rate, 0.0, 1.0
    return rate, float(bounds.low[used][present].max()), float(bounds.high[used][present].max())


def _searched(
    tally: ScoreTally,
    value: float,
    watchlist: Watchlist | None,
    interval: Interval,
    rng: np.random.Generator,
) -> dict[str, object]:
    """The worst group's FPIR on the watchlist."""
    if watchlist is None:
        return {"fpir_group": "", "watchlist_size": 0}
    table = forecast(tally, value, watchlist, interval=interval, rng=rng)
    table = table[table["rate"].notna() & (table["probe_group"] != UNLABELLED)]
    if table.empty:
        return {"fpir_group": "", "watchlist_size": watchlist.size}
    row = table.iloc[int(table["rate"].to_numpy().argmax())]
    return {
        "watchlist_size": watchlist.size,
        "fpir_group": str(row["probe_group"]),
        "worst_fpir": float(row["rate"]),
        "fpir_low": float(row["low"]),
        "fpir_high": float(row["high"]),
    }
