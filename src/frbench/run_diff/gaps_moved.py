"""Measures over the groups, such as the worst group's rate over the best one's, in two runs."""

from __future__ import annotations

import numpy as np
from scipy import stats

from frbench.page.tables import records
from frbench.paired import paired_change
from frbench.run_diff.loaded import LoadedRun
from frbench.values import ALL

Row = dict[str, object]


def paired_gaps(first: LoadedRun, second: LoadedRun, point: str) -> list[Row]:
    """Measures over the groups, persons drawn together for both runs."""
    sides = [(run.tally, [run.thresholds[point]]) for run in (first, second)]
    found = paired_change(sides[0], sides[1], rng=np.random.default_rng(0))
    return [
        _gap_row(
            row["kind"],
            row["group"],
            (row["before"], row["after"]),
            (row["ratio"], row["low"], row["high"]),
            "paired",
            row["status"],
            row["level"],
        )
        for row in records(found[found["kind"].str.endswith(" gap")])
    ]


def gaps_apart(first: LoadedRun, second: LoadedRun, point: str) -> list[Row]:
    """Measures over the groups, with the intervals that each run gave (MOVER)."""
    sides = []
    for run in (first, second):
        at_point = run.gaps[run.gaps["operating_point"] == point]
        ratios = at_point[at_point["unit"] == "ratio"]
        kept = records(ratios[~ratios["measure"].str.startswith("ratio_to_")])
        sides.append({(row["kind"], row["measure"]): row for row in kept})
    rows: list[Row] = []
    for (kind, measure), one in sides[0].items():
        other = sides[1].get((kind, measure))
        if other is None:
            continue
        v1, l1, u1, v2, l2, u2 = (
            np.float64(row[key]) for row in (one, other) for key in ("value", "low", "high")
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = v2 / v1
            low = ratio * np.exp(-np.hypot(np.log(v2 / l2), np.log(u1 / v1)))
            high = ratio * np.exp(np.hypot(np.log(u2 / v2), np.log(v1 / l1)))
        statuses = {one["status"], other["status"]}
        status = next((each for each in ("undefined", "few_errors") if each in statuses), "ok")
        change = float(ratio), float(low), float(high)
        row = _gap_row(
            f"{kind} gap", measure, (v1, v2), change, "two samples", status, one["level"]
        )
        rows.append(row)
    return rows


def _gap_row(
    kind: str,
    measure: str,
    values: tuple[float, float],
    change: tuple[float, float, float],
    method: str,
    status: str,
    level: float,
) -> Row:
    """A row of a measure; its p-value from the end of the interval that lies towards 1."""
    ratio, low, high = change
    p_value = spread = np.nan
    if np.isfinite(ratio) and ratio > 0 and np.isfinite(low):
        z = float(stats.norm.ppf((1 + level) / 2))
        with np.errstate(divide="ignore", invalid="ignore"):
            towards = low if ratio >= 1 else high
            spread = abs(float(np.log(np.divide(ratio, towards)))) / z
            p_value = (
                1.0 if ratio == 1 else 2 * float(stats.norm.sf(np.abs(np.log(ratio)) / spread))
            )
    return {
        "kind": kind,
        "probe_group": measure,
        "reference_group": ALL,
        "rate_first": values[0],
        "rate_second": values[1],
        "ratio": ratio,
        "low": low,
        "high": high,
        "method": method,
        "p_value": p_value,
        "minimum_detectable_ratio": spread,
        "status": status if np.isfinite(p_value) else "empty",
    }
