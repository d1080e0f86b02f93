"""Two matchers on the same set: how each group's rates and the gaps between groups changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from frbench.basic_bootstrap import basic_bounds
from frbench.counted import Counted
from frbench.errors import InputError
from frbench.group_replicates import Replicates, errors_of, replicates
from frbench.intervals import Resampling
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.inverted_path import Noise, inverted_bounds
from frbench.measures import Measure
from frbench.measures.gini import Gini
from frbench.measures.max_min_ratio import MaxMinRatio
from frbench.measures.worst_to_geometric_mean import WorstToGeometricMean
from frbench.paired_rates import RateChange, rate_change
from frbench.values import ALL, UNLABELLED, Bools, ScoreTally, Threshold

CHANGE_COLUMNS = (
    "operating_point", "kind", "group", "before", "after", "ratio", "low", "high", "level",
    "status",
)  # fmt: skip
"""ChangeTable, a row per operating point, kind and group. kind: ``FMR``, ``FNMR`` or ``FTE`` (group
is a group, or ``all``), or ``FMR gap`` and so on (group is the name of a measure over the groups).
ratio = after / before, with its paired interval. status: ok, few_errors (fewer than 10 errors on
one side) or undefined (nothing to divide by)."""

KINDS = ("FMR", "FNMR")
FEW_ERRORS = 10

Arm = tuple[ScoreTally, Sequence[Threshold]]
Row = dict[str, object]


def paired_change(
    before: Arm,
    after: Arm,
    *,
    rng: np.random.Generator,
    measures: Mapping[str, Measure] | None = None,
    resampling: Resampling | None = None,
) -> pd.DataFrame:
    """What changed from one matcher to the other, with the columns of ``CHANGE_COLUMNS``.

    Each arm keeps its own thresholds, paired in order. What the arms share (the persons) does not
    widen the intervals: rates have a closed form (``rate_change``), and for the gaps persons are
    drawn with the same weights for both arms.
    Raises InputError when the two tallies are not of the same images.
    """
    _check_same_set(before, after)
    part = resampling or VertexBootstrap()
    chosen = measures or {m.name: m for m in default_measures()}
    persons = int(before[0].subject.max(initial=-1)) + 1
    weights = part.weights(persons, rng=rng)
    counted = Counted(before[0]), Counted(after[0])
    rows: list[dict[str, object]] = []
    for one, other in zip(before[1], after[1], strict=True):
        drawn = [
            replicates(arm, threshold.value, part, weights)
            for arm, threshold in zip(counted, (one, other), strict=True)
        ]
        counts = [
            errors_of(arm, each.value) for arm, each in zip(counted, (one, other), strict=True)
        ]
        for kind in KINDS:
            pair = drawn[0][kind], drawn[1][kind]
            change = rate_change(counts[0][kind], counts[1][kind], level=part.level)
            found = _rates(kind, before[0].groups, *pair, change, part.level)
            found += _gaps(kind, before[0].groups, *pair, chosen, part.level)
            rows += [{"operating_point": other.label, **row} for row in found]
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))


def default_measures() -> tuple[Measure, ...]:
    """The disparities whose change is reported."""
    return MaxMinRatio(), WorstToGeometricMean(), Gini(corrected=True)


def _check_same_set(before: Arm, after: Arm) -> None:
    one, other = before[0], after[0]
    alike = ("groups", "ordered", "policy", "references_from")
    same = all(getattr(one, name) == getattr(other, name) for name in alike) and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("subject", "group", "stratum")
    )
    if not same:
        raise InputError(
            "the two matchers were measured on different images or groups, so their change "
            "cannot be paired; evaluate both on one benchmark with one choice of groups"
        )


def _rates(
    kind: str,
    groups: Sequence[str],
    before: Replicates,
    after: Replicates,
    change: RateChange,
    level: float,
) -> list[Row]:
    """A row per group, and the pooled one."""
    rows = []
    cells = [*range(len(groups)), -1]
    for position, (group, cell) in enumerate(zip([*groups, ALL], cells, strict=True)):
        ratio = float(change.ratio[cell])
        few = min(before.errors[position], after.errors[position]) < FEW_ERRORS
        rows.append(
            {
                "kind": kind,
                "group": group,
                "before": float(before.rate[position]),
                "after": float(after.rate[position]),
                "ratio": ratio,
                "low": float(change.low[cell]),
                "high": float(change.high[cell]),
                "level": level,
                "status": _status(ratio, few),
            }
        )
    return rows


def _gaps(
    kind: str,
    groups: Sequence[str],
    before: Replicates,
    after: Replicates,
    measures: Mapping[str, Measure],
    level: float,
) -> list[Row]:
    """A row per measure, over the groups that both arms could measure."""
    labelled = np.array([group != UNLABELLED for group in groups], dtype=bool)
    used = labelled & ~np.isnan(before.rate[:-1]) & ~np.isnan(after.rate[:-1])
    if used.sum() < 2:
        return []
    few = min(before.errors[:-1][used].min(), after.errors[:-1][used].min()) < FEW_ERRORS
    sides = [_noise(arm, used) for arm in (before, after)]
    rows: list[Row] = []
    for part in measures.values():
        one, other = (float(part.of(side.rate)) for side in sides)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = float(np.divide(other, one))
        low, high = gap_change_bounds(part, sides[0], sides[1], level=level)
        rows.append(
            {
                "kind": f"{kind} gap",
                "group": part.name,
                "before": one,
                "after": other,
                "ratio": ratio,
                "low": low,
                "high": high,
                "level": level,
                "status": _status(ratio, few),
            }
        )
    return rows


def _noise(arm: Replicates, used: Bools) -> Noise:
    return Noise(arm.rate[:-1][used], arm.log_noise[:, :-1][:, used], arm.spread[:-1][used])


def gap_change_bounds(
    part: Measure, before: Noise, after: Noise, *, level: float
) -> tuple[float, float]:
    """The interval of ``part`` after over ``part`` before; (0, inf) where it is undefined.

    The arms' own intervals are combined on the log scale with the correlation r of their draws,
    sqrt(a^2 + b^2 - 2 r a b) (Donner and Zou, Stat. Med. 2012, MOVER). An index such as Gini is 0
    in fair worlds: where the earlier one may have been 0, the ratio has no upper end. For ratios
    over groups the interval also holds log ratio - quantiles of what noise, drawn for both arms
    together, adds to it: neither alone covers in every simulated population.
    """
    if not all((side.rate > 0).all() for side in (before, after)):
        return 0.0, np.inf
    one, other = float(part.of(before.rate)), float(part.of(after.rate))
    if not (one > 0 and other > 0 and np.isfinite(one) and np.isfinite(other)):
        return 0.0, np.inf
    drawn = [part.of(side.seen(side.rate)) for side in (before, after)]
    if np.array_equal(drawn[0], drawn[1]) and one == other:
        return 1.0, 1.0
    ends = [_own_bounds(part, side, level) for side in (before, after)]
    with np.errstate(divide="ignore"):
        logs = [np.log(np.maximum(each, np.finfo(float).tiny)) for each in drawn]
        r = max(float(np.corrcoef(logs[0], logs[1])[0, 1]), 0.0)
        down = np.log(other / ends[1][0]) if ends[1][0] > 0 else np.inf, np.log(ends[0][1] / one)
        up = np.log(ends[1][1] / other), np.log(one / ends[0][0]) if ends[0][0] > 0 else np.inf
    low = other / one * float(np.exp(-_combined(*down, r)))
    high = other / one * float(np.exp(_combined(*up, r)))
    if part.unit == "ratio":
        bounds = basic_bounds(other / one, drawn[1] / drawn[0], level=level, log=True)
        low, high = min(low, bounds[0]), max(high, bounds[1])
    return low, high


def _own_bounds(part: Measure, side: Noise, level: float) -> tuple[float, float]:
    return inverted_bounds(
        lambda rates: part.of(rates[0]),
        [side],
        fair=part.fair,
        extreme=part.extreme,
        level=level,
        reach=float(stats.norm.ppf(level)),
    )


def _combined(a: float, b: float, r: float) -> float:
    if np.isinf(a) or np.isinf(b):
        return np.inf
    return float(np.sqrt(max(a**2 + b**2 - 2.0 * r * a * b, 0.0)))


def _status(ratio: float, few: bool) -> str:
    if not np.isfinite(ratio):
        return "undefined"
    return "few_errors" if few else "ok"
