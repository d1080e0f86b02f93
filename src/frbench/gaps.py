"""Differences between the groups' rates, each with the groups it stands on and an interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from frbench.basic_bootstrap import basic_bounds
from frbench.counted import Counted
from frbench.group_replicates import KINDS, Replicates, replicates, resampling_for
from frbench.intervals import Interval
from frbench.inverted_path import Noise, Statistic, inverted_bounds
from frbench.measures import CombinedMeasure, Measure
from frbench.paired import paired_change
from frbench.tables import GAP_COLUMNS, GAP_KEYS
from frbench.values import ALL, UNLABELLED, Bools, Float64s, ScoreTally, Threshold

__all__ = ["differentials", "paired_change"]

BOTH = "FMR+FNMR"
"""The kind of a measure that weighs false matches against false non-matches."""

Row = dict[str, object]


def differentials(
    tally: ScoreTally,
    thresholds: Sequence[Threshold],
    rates: pd.DataFrame,
    measures: Mapping[str, Measure | CombinedMeasure],
    interval: Interval,
    *,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """A row per operating point, kind of error and measure, with the columns of the GapTable.

    Groups are compared by their within-group rates; a group without comparisons, and the images
    without a label, are left out by name. ``rates`` is the table of the same tally.

    Intervals of measures over all groups: persons are resampled with the same weights for all
    groups, and the interval holds the degrees of inequality under which the observed one is no
    surprise (``inverted_bounds``; max, min and Gini of noisy rates are biased away from equality:
    Conti and Clemencon, ICLR 2024). Each group's ratio has a closed form, see ``ratio_rows``.
    """
    part = resampling_for(interval)
    counted = Counted(tally)
    persons = int(tally.subject.max(initial=-1)) + 1
    weights = part.weights(persons, rng=rng)
    parts = list(measures.values())
    table: list[Row] = []
    for threshold in thresholds:
        here = rates[rates["operating_point"] == threshold.label]
        drawn = replicates(counted, threshold.value, part, weights) if parts else {}
        for kind in KINDS:
            own = _own_rows(here[here["kind"] == kind], tally.groups)
            found = _of_one_kind(own, drawn[kind], parts, part.level) if parts else []
            found += ratio_rows(own, here[here["kind"] == kind])
            table += _keyed(here, threshold, kind, part.level, found)
        found = _of_both_kinds(here, tally.groups, drawn, parts, part.level) if parts else []
        table += _keyed(here, threshold, BOTH, part.level, found)
    return pd.DataFrame(table, columns=list(GAP_COLUMNS))


def _keyed(
    rates: pd.DataFrame, threshold: Threshold, kind: str, level: float, found: Iterable[Row]
) -> list[Row]:
    """The rows with their keys, taken from the table of rates."""
    shared = rates.iloc[0] if len(rates) else dict.fromkeys(GAP_KEYS, "")
    keys: Row = {key: shared[key] for key in GAP_KEYS}
    keys.update(kind=kind, operating_point=threshold.label, threshold=threshold.value, level=level)
    return [{**keys, **row} for row in found]


def _own_rows(rates: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """The within-group rows in the order of ``groups``, indexed by group, with ``used``."""
    own = rates[(rates["probe_group"] == rates["reference_group"])].set_index("probe_group")
    own = own.reindex(list(groups))
    return own.assign(used=(own["status"] != "empty").to_numpy() & (own.index != UNLABELLED))


def _of_one_kind(
    own: pd.DataFrame, drawn: Replicates, parts: Sequence[Measure | CombinedMeasure], level: float
) -> list[Row]:
    """A row per measure of one kind of error."""
    used = own["used"].to_numpy(dtype=bool)
    sides = [_side(own, drawn, used)]
    rows = []
    for part in parts:
        if not isinstance(part, CombinedMeasure):
            row = _described(part, _single(part), sides, level)
            rows.append({**row, **_groups(own, used, own["rate"])})
    return [_with_status(row, own, used) for row in rows]


def _of_both_kinds(
    rates: pd.DataFrame,
    groups: Sequence[str],
    drawn: Mapping[str, Replicates],
    parts: Sequence[Measure | CombinedMeasure],
    level: float,
) -> list[Row]:
    """A row per measure that weighs FMR against FNMR, over groups that have both."""
    fmr, fnmr = (_own_rows(rates[rates["kind"] == kind], groups) for kind in ("FMR", "FNMR"))
    used = fmr["used"].to_numpy(dtype=bool) & fnmr["used"].to_numpy(dtype=bool)
    sides = [_side(fmr, drawn["FMR"], used), _side(fnmr, drawn["FNMR"], used)]
    rows = []
    for part in parts:
        if isinstance(part, CombinedMeasure):
            row = _described(part, _combined(part), sides, level)
            row.update(_groups(fmr, used, None))
            rows.append(_with_status(row, pd.concat([fmr, fnmr]), np.r_[used, used]))
    return rows


def _single(part: Measure) -> Statistic:
    return lambda rates: part.of(rates[0])


def _combined(part: CombinedMeasure) -> Statistic:
    return lambda rates: part.combine(rates[0], rates[1])


@dataclass(frozen=True)
class _Side:
    """One kind of error: the used groups' rates, resampled, and with their noise."""

    rate: Float64s
    again: Float64s
    noise: Noise


def _side(own: pd.DataFrame, drawn: Replicates, used: Bools) -> _Side:
    rate = own["rate"].to_numpy(dtype=np.float64)[used]
    noise = Noise(rate, drawn.log_noise[:, :-1][:, used], drawn.spread[:-1][used])
    return _Side(rate, drawn.drawn[:, :-1][:, used], noise)


def _described(
    part: Measure | CombinedMeasure, of: Statistic, sides: Sequence[_Side], level: float
) -> Row:
    """Name, number and interval of one measure.

    A group without errors shows no noise, so nothing can be excluded: the interval then reaches
    from ``fair`` to what resampling shows, or beyond.
    """
    row: Row = {"measure": part.name, "unit": part.unit}
    limits = min(part.fair, part.extreme), max(part.fair, part.extreme)
    if len(sides[0].rate) < 2:
        return {**row, "value": np.nan, "low": limits[0], "high": limits[1]}
    value = float(of([side.rate for side in sides]))
    if all((side.rate > 0).all() for side in sides) and np.isfinite(value):
        low, high = inverted_bounds(
            of,
            [side.noise for side in sides],
            fair=part.fair,
            extreme=part.extreme,
            level=level,
            reach=float(stats.norm.ppf(level)),
        )
        low, high = max(low, limits[0]), min(high, limits[1])
    else:
        resampled = of([side.again for side in sides])
        log = part.unit == "ratio"
        low, high = basic_bounds(value, resampled, level=level, log=log, limits=limits)
        low, high = min(low, part.fair), max(high, part.fair)
    return {**row, "value": value, "low": low, "high": high}


def _groups(own: pd.DataFrame, used: Bools, rate: pd.Series | None) -> Row:
    """Who is worst and best, how many groups were compared, and which were not."""
    row: Row = {"worst_group": "", "reference_group": ""}
    if rate is not None and used.sum() > 1:
        chosen = rate[used]
        row = {"worst_group": str(chosen.idxmax()), "reference_group": str(chosen.idxmin())}
    left_out = ";".join(str(name) for name in own.index[~used])
    return {**row, "groups_used": int(used.sum()), "groups_left_out": left_out}


def _with_status(row: Row, own: pd.DataFrame, used: Bools) -> Row:
    """``undefined`` where the number is not finite, ``few_errors`` where a rate rests on few."""
    value = row["value"]
    assert isinstance(value, float)
    weak = bool((own["status"][used] != "ok").any())
    status = "undefined" if not np.isfinite(value) else "few_errors" if weak else "ok"
    return {**row, "status": status}


def ratio_rows(own: pd.DataFrame, rates: pd.DataFrame) -> list[Row]:
    """Each group's rate over the mean of the other groups', and over the pooled rate.

    ``ratio_to_others`` asks whether groups differ; a group's ``ratio_to_pooled`` exceeds 1 for
    every group when people resemble each other within groups, and says how far the pooled target
    understates the group's risk. Closed-form interval: with l, u the group's own interval and se
    the standard error of the log of what it is divided by (delta method over the groups' plug-in
    variances),  log ratio - sqrt(log(p/l)^2 + (z se)^2)  to  log ratio + sqrt(log(u/p)^2 +
    (z se)^2), which keeps the asymmetry of l and u (Donner and Zou, Stat. Med. 2012, MOVER). The
    two sides are taken as independent, which errs to the wide side where they share persons.
    A group all or none of whose comparisons are errors has no variance; what the mean owes to it
    is bounded by its own interval, so that a tiny group without errors proves nothing about others.
    """
    used = own[own["used"]]
    rate = used["rate"].to_numpy(dtype=np.float64)
    worth = used["effective_comparisons"].to_numpy(dtype=np.float64)
    variance = rate * (1 - rate) / np.maximum(worth, 1.0)
    uniform = (rate == 0) | (rate == 1)
    above = np.where(uniform, used["high"].to_numpy(dtype=np.float64) - rate, 0.0)
    below = np.where(uniform, rate - used["low"].to_numpy(dtype=np.float64), 0.0)
    pooled = rates[rates["probe_group"] == ALL]
    rows: list[Row] = []
    for position, (name, row) in enumerate(used.iterrows()):
        rest = np.arange(len(used)) != position
        if rest.any():
            mean, error = rate[rest].mean(), np.sqrt(variance[rest].sum()) / rest.sum()
            open_ends = tuple(float(np.linalg.norm(a[rest])) / rest.sum() for a in (above, below))
            rows.append(_ratio_row("ratio_to_others", str(name), "", row, mean, error, open_ends))
        if len(pooled) and pooled["status"].iloc[0] != "empty":
            whole = float(pooled["rate"].iloc[0])
            number = max(float(pooled["effective_comparisons"].iloc[0]), 1.0)
            error = np.sqrt(whole * (1 - whole) / number)
            rows.append(_ratio_row("ratio_to_pooled", str(name), ALL, row, whole, error))
    left_out = ";".join(str(name) for name in own.index[~own["used"]])
    return [{**row, "groups_used": len(used), "groups_left_out": left_out} for row in rows]


def _ratio_row(
    measure: str,
    group: str,
    against: str,
    own: pd.Series,
    divisor: float,
    error: float,
    open_ends: tuple[float, ...] = (0.0, 0.0),
) -> Row:
    """One ratio with its interval; [0, infinity] and ``undefined`` where nothing is known.

    ``open_ends``: how far the divisor may lie above and below its value on account of groups that
    have no variance. Over a divisor of zero the ratio is infinite, and its lower end is the
    group's own over the most that the divisor may be.
    """
    rate, low, high = float(own["rate"]), float(own["low"]), float(own["high"])
    row: Row = {"measure": measure, "unit": "ratio", "worst_group": group}
    row["reference_group"] = against
    if divisor == 0:
        value = np.inf if rate > 0 else np.nan
        least = low / open_ends[0] if rate > 0 and open_ends[0] > 0 else 0.0
        return {**row, "value": value, "low": least, "high": np.inf, "status": "undefined"}
    z = float(stats.norm.ppf((1 + float(own["level"])) / 2))
    reach = z * error / divisor
    up = np.hypot(reach, np.log1p(open_ends[0] / divisor))
    with np.errstate(divide="ignore"):
        down = np.hypot(reach, np.log1p(-min(open_ends[1] / divisor, 1.0)))
    bottom = rate / divisor * np.exp(-np.hypot(np.log(rate / low), up)) if low > 0 else 0.0
    if rate > 0:
        top = rate / divisor * np.exp(np.hypot(np.log(high / rate), down))
    else:
        top = high / divisor * np.exp(down)
    status = "ok" if own["status"] == "ok" else "few_errors"
    return {
        **row,
        "value": rate / divisor,
        "low": float(bottom),
        "high": float(top),
        "status": status,
    }
