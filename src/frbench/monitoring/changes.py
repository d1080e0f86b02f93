"""Each later run beside the approved one: rates per group and the gaps between groups.

The chance of any false alarm over all runs, however many will come, is held by spending it: run k
after the baseline may use α / (k (k + 1)), shared equally by its tests; over all k that sums to α.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from frbench.errors import InputError
from frbench.monitoring.stored import StoredRun
from frbench.paired import CHANGE_COLUMNS, paired_change
from frbench.values import ALL, UNLABELLED

RUN_COLUMNS = (
    *("run", "when", "operating_point", "kind", "group", "rate", "low", "high", "persons"),
    *("baseline", "ratio", "ratio_low", "ratio_high", "level", "p_value", "spent", "alarm"),
    *("paired", "status"),
)
"""A row per run, operating point, kind and group; the baseline's own rows have no ratio.

kind: ``FMR``, ``FNMR``, or ``FMR gap``/``FNMR gap``: the group's rate over the geometric mean of
the others', always of two independent runs. ratio over the baseline with its interval; p_value
one-sided of "no higher than ``limit`` times the baseline"; spent: the chance of error that the row
may use; paired: whether both runs compared the same images.
"""


def run_table(
    runs: Sequence[StoredRun],
    paired: Mapping[str, pd.DataFrame],
    *,
    limit: float,
    level: float,
) -> pd.DataFrame:
    """The table of ``RUN_COLUMNS``.

    Args:
        runs: in order; the first is the baseline.
        paired: run's name -> ChangeTable from the baseline, for runs on the same images.
        limit: factor on the baseline that is still tolerated.
        level: of the intervals, and 1 less the chance of any false alarm.
    """
    tables = [_values(run) for run in runs]
    first = tables[0].set_index(["operating_point", "kind", "group"])
    rows = [tables[0].assign(paired=False)]
    for number, (run, table) in enumerate(zip(runs[1:], tables[1:], strict=True), 1):
        keys = pd.MultiIndex.from_frame(table[["operating_point", "kind", "group"]])
        before = first.reindex(keys).reset_index(drop=True)
        table = table.assign(baseline=before["rate"], paired=run.name in paired)
        ratios = _apart(table, before, level)
        if run.name in paired:
            ratios = _together(ratios, paired[run.name], keys)
        table = pd.concat([table, ratios], axis=1)
        z = stats.norm.ppf((1 + level) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.log(table["ratio"] / table["ratio_low"]) / z
            distance = np.log(table["ratio"] / limit) / error
        known = np.isfinite(distance) & (table["status"] == "ok")
        table["p_value"] = np.where(known, stats.norm.sf(np.where(known, distance, 0.0)), np.nan)
        tested = int(known.sum())
        table["spent"] = (1 - level) / (number * (number + 1)) / max(tested, 1)
        table["alarm"] = table["p_value"] <= table["spent"]
        rows.append(table)
    every = pd.concat(rows, ignore_index=True).assign(level=level)
    every["alarm"] = every["alarm"].eq(True)
    return every[list(RUN_COLUMNS)]


def paired_with(baseline: StoredRun, run: StoredRun, rng: np.random.Generator) -> pd.DataFrame:
    """ChangeTable from the baseline: paired where the images are the same, else from intervals."""
    if same_images(baseline, run):
        try:
            return paired_change(
                (baseline.tally(), baseline.thresholds), (run.tally(), run.thresholds), rng=rng
            )
        except InputError:
            # another order or another failure to enrol: the intervals of the tables remain
            pass
    return pd.DataFrame(columns=list(CHANGE_COLUMNS))


def same_images(one: StoredRun, other: StoredRun) -> bool:
    """Whether both runs looked at the same labelled images."""
    prints = [each.record["benchmark"].get("labels_sha256") for each in (one, other)]
    return prints[0] is not None and prints[0] == prints[1]


def unpaired_change(table: pd.DataFrame, run: str) -> pd.DataFrame:
    """Rows of ``run`` in a ``run_table`` with the columns of a ChangeTable."""
    rows = table[(table["run"] == run) & ~table["kind"].str.endswith("gap")]
    return pd.DataFrame(
        {
            "operating_point": rows["operating_point"],
            "kind": rows["kind"],
            "group": rows["group"],
            "before": rows["baseline"],
            "after": rows["rate"],
            "ratio": rows["ratio"],
            "low": rows["ratio_low"],
            "high": rows["ratio_high"],
            "level": rows["level"],
            "status": np.where(rows["status"] == "ok", "ok", "undefined"),
        }
    ).reset_index(drop=True)


def _values(run: StoredRun) -> pd.DataFrame:
    rates = run.rates[run.rates["probe_group"] == run.rates["reference_group"]]
    rates = rates[rates["kind"].isin(["FMR", "FNMR"]) & (rates["probe_group"] != UNLABELLED)]
    named = {"probe_group": "group", "subjects": "persons"}
    rates = rates.rename(columns=named)[
        ["operating_point", "kind", "group", "rate", "low", "high", "persons", "status"]
    ]
    gaps = [
        _beside_others(str(point), str(kind), each)
        for (point, kind), each in rates.groupby(["operating_point", "kind"], sort=False)
    ]
    table = pd.concat([rates, *gaps], ignore_index=True)
    return table.assign(run=run.name, when=run.when)


def _beside_others(point: str, kind: str, rates: pd.DataFrame) -> pd.DataFrame:
    """Each group's rate over the geometric mean of the others', with its interval (MOVER).

    Groups within themselves are of different persons, so that their errors add in quadrature.
    """
    rates = rates[rates["group"] != ALL]
    others = len(rates) - 1
    if others < 1:
        return rates.iloc[:0]
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, low, high = np.log(rates[["rate", "low", "high"]].to_numpy(float)).T
        down, up = (centre - low) ** 2, (high - centre) ** 2
        value = centre - (centre.sum() - centre) / others
        low = value - np.sqrt(down + (up.sum() - up) / others**2)
        high = value + np.sqrt(up + (down.sum() - down) / others**2)
        ends = {
            name: np.exp(each)
            for name, each in zip(("rate", "low", "high"), (value, low, high), strict=True)
        }
    status = "ok" if (rates["status"] == "ok").all() else "few_errors"
    return rates.assign(**ends, operating_point=point, kind=f"{kind} gap", status=status)


def _apart(table: pd.DataFrame, before: pd.DataFrame, level: float) -> pd.DataFrame:
    """Ratios of independent runs: the arms of both log intervals, added in quadrature (MOVER)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        now, then = (
            np.log(each[["rate", "low", "high"]].to_numpy(float)) for each in (table, before)
        )
        centre = now[:, 0] - then[:, 0]
        down = np.hypot(now[:, 0] - now[:, 1], then[:, 2] - then[:, 0])
        up = np.hypot(now[:, 2] - now[:, 0], then[:, 0] - then[:, 1])
    fine = (before["status"] == "ok") & (table["status"] == "ok") & np.isfinite(centre)
    with np.errstate(over="ignore", invalid="ignore"):
        columns = {"ratio": centre, "ratio_low": centre - down, "ratio_high": centre + up}
        return pd.DataFrame(
            {key: np.where(fine, np.exp(v), math.nan) for key, v in columns.items()}
        )


def _together(ratios: pd.DataFrame, change: pd.DataFrame, keys: pd.MultiIndex) -> pd.DataFrame:
    by_key = change.set_index(["operating_point", "kind", "group"])
    by_key = by_key.loc[~by_key.index.duplicated(), ["ratio", "low", "high"]]
    found = by_key.reindex(keys).reset_index(drop=True)
    found.columns = pd.Index(["ratio", "ratio_low", "ratio_high"])
    return found.where(found["ratio"].notna(), ratios)
