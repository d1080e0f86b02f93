"""A live series of counts per group: has a group's rate risen, or its distance from the others?

Days up to the end of the baseline tell what is usual. Of the family's chance of a false alarm each
test gets an equal part α, half for the baseline's upper bound and half for the wager:

rate: R_t = (errors / comparisons of the day) / (limit × upper bound of the baseline's rate);
disparity: R_t = Z_t / π_t, Z_t the group's part of the day's errors and π_t what it would be if its
rate were r times that of all others, r = limit × upper bound of the baseline's ratio:
π_t = r n_g / (r n_g + n_others). Days on which everybody's errors rise alike leave it unmoved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from frbench.digests import digest_file
from frbench.errors import InputError
from frbench.monitoring.betting import days_to_alarm, wealth
from frbench.table_files import read_strings
from frbench.values import Float64s

PAIRS = (("errors", "comparisons"), ("alerts", "searches"))
FEWEST_DAYS = 8
"""Days that a baseline needs for an interval by days to mean something."""

WATCH_COLUMNS = (
    *("measure", "group", "when", "errors", "comparisons", "value", "baseline", "upper"),
    *("evidence", "bar", "alarm"),
)
"""A row per measure, group and day. measure: ``rate`` or ``disparity`` (the group's rate over that
of all others). baseline, upper: of the measure, with the one-sided bound that is tested against.
evidence: wealth of the wager, NaN in the baseline; alarm: whether it has reached ``bar`` yet."""


@dataclass(frozen=True)
class Series:
    """Counts, float64 [T, G].

    Attributes:
        groups, days: names of the columns and of the rows, in order.
        errors, comparisons: counts.
        names: what errors and comparisons are called in the file.
        path, sha256: of the file.
    """

    groups: tuple[str, ...]
    days: tuple[str, ...]
    errors: Float64s
    comparisons: Float64s
    names: tuple[str, str]
    path: Path
    sha256: str


def read_series(path: Path) -> Series:
    """The series in a CSV or Parquet file: ``date, group`` and two counts.

    Raises:
        InputError: no such file or columns, a date that is none, a count that is no whole number, a
            day and group named twice, or more errors than comparisons.
    """
    table = read_strings(path, what="series")
    frame = table.frame
    pair = next((each for each in PAIRS if {*each} <= {*frame.columns}), None)
    absent = [name for name in ("date", "group") if name not in frame]
    if pair is None or absent:
        raise InputError(
            f"series={path} needs the columns date, group and either errors, comparisons or "
            f"alerts, searches; it has {', '.join(frame.columns)}"
        )
    dates = pd.to_datetime(frame["date"], format="ISO8601", errors="coerce")
    counts = frame[list(pair)].apply(pd.to_numeric, errors="coerce")
    whole = counts.ge(0).all(axis=1) & (counts % 1 == 0).all(axis=1)
    for wrong, said in (
        (dates.isna(), "the date is not of the form 2026-11-23"),
        (frame["group"].isna(), "the group is missing"),
        (~whole, f"{pair[0]} and {pair[1]} must be whole numbers of at least 0"),
        (counts[pair[0]] > counts[pair[1]], f"more {pair[0]} than {pair[1]}"),
        (frame.assign(date=dates).duplicated(["date", "group"]), "day and group stand there twice"),
    ):
        if wrong.any():
            raise InputError(f"series={path}, {table.where(int(np.argmax(wrong)))}: {said}.")
    wide = counts.assign(date=dates, group=frame["group"]).pivot(index="date", columns="group")
    wide = wide.sort_index().fillna(0.0)
    groups = tuple(str(each) for each in wide[pair[0]].columns)
    return Series(
        groups,
        tuple(f"{each:%Y-%m-%d}" for each in wide.index),
        wide[pair[0]].to_numpy(float),
        wide[pair[1]].to_numpy(float),
        pair,
        path,
        digest_file(path),
    )


def watch(series: Series, *, baseline: int, limit: float, level: float) -> pd.DataFrame:
    """The table of ``WATCH_COLUMNS``.

    Args:
        baseline: days, from the first, that tell what is usual.
        limit: factor on the baseline that is still tolerated, at least 1.
        level: 1 less the chance of any false alarm, over all groups, measures and days.

    Raises:
        InputError: too short a baseline, or no day after it.
    """
    if baseline < FEWEST_DAYS or baseline >= len(series.days):
        raise InputError(
            f"baseline={baseline}: of {len(series.days)} days at least {FEWEST_DAYS} must tell "
            "what is usual, and one must come after them."
        )
    groups = len(series.groups)
    share = (1 - level) / (groups * (2 if groups > 1 else 1))
    tables = []
    for at in range(groups):
        own = series.errors[:, at], series.comparisons[:, at]
        usual, upper = _rate(own[0][:baseline], own[1][:baseline], share / 2)
        value = _divide(*own)
        tables.append(
            _rows(series, "rate", at, baseline, value, usual, upper, value / (limit * upper), share)
        )
        if groups == 1:
            continue
        rest = series.errors.sum(axis=1) - own[0], series.comparisons.sum(axis=1) - own[1]
        early = [(each[0][:baseline], each[1][:baseline]) for each in (own, rest)]
        usual, upper = _ratio(early[0], early[1], share / 2)
        weight = limit * upper * own[1]
        expected = _divide(weight, weight + rest[1])
        part = _divide(own[0], own[0] + rest[0])
        value = _divide(_divide(*own), _divide(*rest))
        tables.append(
            _rows(series, "disparity", at, baseline, value, usual, upper, part / expected, share)
        )
    return pd.concat(tables, ignore_index=True)[list(WATCH_COLUMNS)]


def _rows(
    series: Series,
    measure: str,
    at: int,
    baseline: int,
    value: Float64s,
    usual: float,
    upper: float,
    ratios: Float64s,
    share: float,
) -> pd.DataFrame:
    evidence = np.full(len(value), np.nan)
    if np.isfinite(upper) and upper > 0:
        evidence[baseline:] = wealth(ratios[baseline:])
    bar = 2 / share
    return pd.DataFrame(
        {
            "measure": measure,
            "group": series.groups[at],
            "when": series.days,
            "errors": series.errors[:, at],
            "comparisons": series.comparisons[:, at],
            "value": value,
            "baseline": usual,
            "upper": upper,
            "evidence": evidence,
            "bar": bar,
            "alarm": np.maximum.accumulate(np.nan_to_num(evidence)) >= bar,
        }
    )


def _rate(errors: Float64s, number: Float64s, risk: float) -> tuple[float, float]:
    """The rate of the baseline and its upper bound, days being the units.

    Ratio estimator with its linearised variance and Student's quantile on the log scale; without
    errors 1 − risk^(1/n) of all comparisons, which days that hang together may exceed.
    """
    total, of = errors.sum(), number.sum()
    if of == 0:
        return np.nan, np.nan
    if total == 0:
        return 0.0, float(-np.expm1(np.log(risk) / of))
    days = len(errors)
    spread = np.sum((errors - total / of * number) ** 2) * days / (days - 1) / total**2
    # never surer than independent errors would be
    error = np.sqrt(max(spread, 1 / total))
    upper = total / of * np.exp(stats.t.isf(risk, days - 1) * error)
    return total / of, float(min(upper, 1.0))


def _ratio(
    group: tuple[Float64s, Float64s], others: tuple[Float64s, Float64s], risk: float
) -> tuple[float, float]:
    """The group's rate over the others' in the baseline, and its upper bound; NaN where unknown."""
    (own, own_of), (rest, rest_of) = group, others
    if min(own.sum(), rest.sum()) == 0:
        return np.nan, np.nan
    rates = own.sum() / own_of.sum(), rest.sum() / rest_of.sum()
    days = len(own)
    moved = (own - rates[0] * own_of) / own.sum() - (rest - rates[1] * rest_of) / rest.sum()
    spread = np.sum(moved**2) * days / (days - 1)
    error = np.sqrt(max(spread, 1 / own.sum() + 1 / rest.sum()))
    ratio = rates[0] / rates[1]
    return float(ratio), float(ratio * np.exp(stats.t.isf(risk, days - 1) * error))


def _divide(numerator: Float64s, denominator: Float64s) -> Float64s:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def needed_for_doubling(watched: pd.DataFrame, limit: float) -> Mapping[str, Any]:
    """Days after the baseline that a doubled rate would take to raise the alarm, per measure and
    group, joined ``measure/group``; None where the baseline tells nothing."""
    found: dict[str, Any] = {}
    for (measure, group), rows in watched.groupby(["measure", "group"], sort=False):
        first = rows.iloc[0]
        known = first["baseline"] > 0 and np.isfinite(first["upper"])
        ratio = 2 * first["baseline"] / (limit * first["upper"]) if known else 0.0
        days = days_to_alarm(float(ratio), float(first["bar"]), most=2000) if ratio > 1 else None
        found[f"{measure}/{group}"] = days
    return found
