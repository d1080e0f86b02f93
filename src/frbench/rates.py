"""From counts to rates: FMR, FNMR and failure to enrol of every cell, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from frbench.cell_errors import CountedErrors, divide
from frbench.counted import Counted
from frbench.intervals import Interval
from frbench.intervals.wilson_effective import effective_number
from frbench.tables import RATE_COLUMNS
from frbench.trials import Cells
from frbench.values import Float64s, Int64s, ScoreTally, Threshold

FEW_ERRORS = 10
FEW_SUBJECTS = 20


def error_rates(
    tally: ScoreTally,
    thresholds: Sequence[Threshold],
    interval: Interval,
    *,
    arm: str = "",
    matcher: str,
    benchmark: str,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """A row per operating point, kind of error and cell, with the columns of the RateTable.

    FMR has every cell, the pooled one first. FNMR and FTE have the pooled cell and one per
    group; FNMR crosses groups only where one person's images do.
    Raises InputError for a threshold below ``tally.floor``.
    """
    counted = Counted(tally)
    tables = []
    for threshold in thresholds:
        keys: dict[str, str | float] = {
            "arm": arm,
            "matcher": matcher,
            "benchmark": benchmark,
            "policy": tally.policy,
            "operating_point": threshold.label,
            "threshold": threshold.value,
        }
        for kind, table in _kinds(counted, threshold.value, interval, rng):
            for column, value in keys.items():
                table[column] = value
            tables.append(table.assign(kind=kind))
    if not tables:
        return pd.DataFrame(columns=list(RATE_COLUMNS))
    return pd.concat(tables, ignore_index=True)[list(RATE_COLUMNS)]


def _kinds(
    counted: Counted, threshold: float, interval: Interval, rng: np.random.Generator
) -> list[tuple[str, pd.DataFrame]]:
    """The tables of the three kinds of error at one threshold."""
    matches = counted.false_matches(threshold)
    failed = matches.comparisons - counted.completed
    fmr = _table(counted.cells, matches, failed, interval, rng)
    fmr["rate_completed"] = divide(matches.errors, counted.completed)
    fmr["rate_worst_case"] = divide(matches.errors + failed, matches.comparisons)

    misses = counted.false_non_matches(threshold)
    failed = counted.mated_attempted.errors
    fnmr = _table(counted.cells, misses, failed, interval, rng)
    fnmr["rate_completed"] = divide(misses.errors - failed, misses.comparisons - failed)

    lost = counted.failures_to_enrol()
    fte = _table(counted.cells, lost, lost.errors, interval, rng)
    fte["rate_completed"] = np.where(lost.comparisons > lost.errors, 0.0, np.nan)

    groups = len(counted.cells.groups)
    own = np.r_[counted.cells.pooled, np.arange(groups)]
    crossing = groups + np.flatnonzero(misses.comparisons[groups:-1])
    every = np.r_[counted.cells.pooled, np.arange(counted.cells.pooled)]
    return [
        ("FMR", fmr.take(every)),
        ("FNMR", fnmr.take(np.r_[own, crossing])),
        ("FTE", fte.take(own)),
    ]


def _table(
    cells: Cells,
    found: CountedErrors,
    failed: Int64s,
    interval: Interval,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """All columns but the keys; ``rate_worst_case`` is the rate, its value when failures err."""
    rate = divide(found.errors, found.comparisons)
    bounds = interval.bounds(found, rng=rng)
    effective = effective_number(found)
    return pd.DataFrame(
        {
            "probe_group": [name for name, _ in cells.names],
            "reference_group": [name for _, name in cells.names],
            "errors": found.errors,
            "comparisons": found.comparisons,
            "failed": failed,
            "subjects": found.subjects,
            "rate": rate,
            "low": bounds.low,
            "high": bounds.high,
            "level": interval.level,
            "interval": interval.name,
            "effective_comparisons": effective,
            "design_effect": divide(found.comparisons, effective),
            "rate_worst_case": rate,
            "status": status_of(rate, found.errors, found.subjects),
        }
    )


def status_of(rate: Float64s, errors: Int64s, subjects: Int64s) -> list[str]:
    """The first that applies: nothing compared, few persons, few errors."""
    empty = np.isnan(rate)
    conditions = [empty, subjects < FEW_SUBJECTS, errors < FEW_ERRORS]
    return [str(s) for s in np.select(conditions, ["empty", "few_subjects", "few_errors"], "ok")]
