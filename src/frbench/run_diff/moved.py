"""Which cells moved beyond noise, with the errors of the first kind held over all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from frbench.cell_errors import CountedErrors, divide
from frbench.run_diff.comparable import Common
from frbench.run_diff.gaps_moved import gaps_apart, paired_gaps
from frbench.run_diff.loaded import LoadedRun
from frbench.run_diff.tests_of_change import change_of
from frbench.values import Float64s, Threshold

CELL_COLUMNS = (
    "first", "second", "operating_point", "kind", "probe_group", "reference_group",
    "rate_first", "rate_second", "errors_first", "errors_second", "comparisons_first",
    "comparisons_second", "ratio", "low", "high", "level", "method", "p_value", "p_adjusted",
    "moved", "direction", "minimum_detectable_ratio", "status",
)  # fmt: skip
"""A row per pair of runs, operating point, kind and cell. kind: ``FMR``, ``FNMR``, ``FTE``, or
``FMR gap`` and so on, where probe_group is the name of a measure over the groups. ratio: second
over first, its interval for the cell alone. method: ``paired`` or ``two samples``. p_adjusted:
over all tested rows. moved: p_adjusted below 1 - level. direction: rose, fell or "". status: ok,
few_errors (fewer than 10 on a side) or empty (not tested)."""

CORRECTIONS = {
    "holm": "family-wise: at most 5 in 100 comparisons of unchanged runs name any cell (Holm)",
    "bh": "false discovery rate: of the cells named, 5 in 100 are expected to be unchanged "
    "(Benjamini and Hochberg, for positively dependent tests)",
}
FEW_ERRORS = 10
Row = dict[str, object]

ANY = "any"
"""In the place of an operating point, for failures to enrol."""


def moved_cells(
    runs: Sequence[LoadedRun], common: Common, *, level: float = 0.95, correction: str = "holm"
) -> pd.DataFrame:
    """The table of ``CELL_COLUMNS``: every other run against the first."""
    first, *others = runs
    rows: list[Row] = []
    for run in others:
        paired = run.letter in common.paired
        for number, point in enumerate(common.points):
            found = _cells(first, run, point, paired=paired, level=level)
            # failures to enrol are the same at every threshold: one row, one test
            found = [row for row in found if number == 0 or row["kind"] != "FTE"]
            found += (paired_gaps if paired else gaps_apart)(first, run, point)
            keys = {"first": first.letter, "second": run.letter, "level": level}
            rows += [
                {**keys, "operating_point": ANY if row["kind"] == "FTE" else point, **row}
                for row in found
            ]
    table = pd.DataFrame(rows, columns=list(CELL_COLUMNS))
    table["p_adjusted"] = adjusted(table["p_value"].to_numpy(np.float64), correction)
    table["moved"] = (table["p_adjusted"] < 1 - level).to_numpy(bool)
    rose = table["ratio"].to_numpy(np.float64) > 1
    table["direction"] = np.where(table["moved"], np.where(rose, "rose", "fell"), "")
    tested = max(int(table["p_value"].notna().sum()), 1)
    reach = stats.norm.ppf(1 - (1 - level) / (2 * tested)) + stats.norm.ppf(0.8)
    spread = table["minimum_detectable_ratio"].to_numpy(np.float64)
    with np.errstate(over="ignore"):
        table["minimum_detectable_ratio"] = np.exp(reach * spread)
    return table


def adjusted(p_values: Float64s, correction: str) -> Float64s:
    """p-values over their family, NaN where there is none: ``holm`` or ``bh``."""
    result: Float64s = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    if not len(tested):
        return result
    order = tested[np.argsort(p_values[tested], kind="stable")]
    count = len(order)
    ranked = p_values[order]
    if correction == "holm":
        found = np.maximum.accumulate(ranked * np.arange(count, 0, -1))
    else:
        found = np.minimum.accumulate((ranked * count / np.arange(1, count + 1))[::-1])[::-1]
    result[order] = np.minimum(found, 1.0)
    return result


def _errors(
    run: LoadedRun, threshold: Threshold, groups: Sequence[str]
) -> dict[str, CountedErrors]:
    """The errors of every kind, cells in the order of ``groups``."""
    counted, value = run.counted_as(groups), np.float64(threshold.value)
    return {
        "FMR": counted.false_matches(value),
        "FNMR": counted.false_non_matches(value),
        "FTE": counted.failures_to_enrol(),
    }


def _cells(
    first: LoadedRun, second: LoadedRun, point: str, *, paired: bool, level: float
) -> list[Row]:
    groups = first.tally.groups
    sides = [_errors(run, run.thresholds[point], groups) for run in (first, second)]
    names = first.counted.cells.names
    rows: list[Row] = []
    for kind in ("FMR", "FNMR", "FTE"):
        one, other = sides[0][kind], sides[1][kind]
        change = change_of(one, other, paired=paired, level=level)
        rates = [divide(each.errors, each.comparisons) for each in (one, other)]
        for at, (probe, reference) in enumerate(names):
            compared = int(one.comparisons[at]), int(other.comparisons[at])
            if probe != reference and not any(compared):
                continue
            errors = int(one.errors[at]), int(other.errors[at])
            empty = not all(compared)
            rows.append(
                {
                    "kind": kind,
                    "probe_group": probe,
                    "reference_group": reference,
                    "rate_first": float(rates[0][at]),
                    "rate_second": float(rates[1][at]),
                    "errors_first": errors[0],
                    "errors_second": errors[1],
                    "comparisons_first": compared[0],
                    "comparisons_second": compared[1],
                    "ratio": float(change.ratio[at]),
                    "low": float(change.low[at]),
                    "high": float(change.high[at]),
                    "method": "paired" if change.paired[at] else "two samples",
                    "p_value": np.nan if empty else float(change.p_value[at]),
                    "minimum_detectable_ratio": float(change.spread[at]),
                    "status": _status(empty=empty, errors=min(errors)),
                }
            )
    return rows


def _status(*, empty: bool, errors: int) -> str:
    return "empty" if empty else "few_errors" if errors < FEW_ERRORS else "ok"
