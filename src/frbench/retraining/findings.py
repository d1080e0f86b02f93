"""What retraining did, as findings, and the recipes in order of the disparity that they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from frbench.formatting import decimal, one_in, percent
from frbench.retraining.effects import BEFORE
from frbench.values import ALL, UNLABELLED, Finding

MEASURE = "worst_to_geometric_mean"
WORDS = "highest group's FMR over the geometric mean of all groups"

RECIPE_COLUMNS = (
    *("operating_point", "rank", "recipe", "persons", "images", "images_seen", "before", "after"),
    *("ratio", "low", "high", "against_first", "against_first_low", "against_first_high"),
    *("fnmr", "fnmr_ratio", "fnmr_low", "fnmr_high", "status"),
)
"""A row per operating point and recipe, rank 1 leaves the smallest disparity. before, after, ratio:
of the highest group's FMR over the geometric mean of all; against_first: the same beside the first
recipe, 1 for itself. fnmr: FNMR of all groups together afterwards, and its change."""


@dataclass(frozen=True)
class Limits:
    """When a change is worth a finding.

    Attributes:
        rise: a group's FMR is reported when it rose by more than this ratio.
        severity: level of a disparity that grew and of a group whose rate rose.
        level: of the intervals, and of the family of groups by Holm (Scand. J. Stat. 1979).
    """

    rise: float = 1.25
    severity: str = "flag"
    level: float = 0.95

    def parameters(self) -> dict[str, Any]:
        """For the record."""
        return {"measure": MEASURE, "rise": self.rise, "multiplicity": "holm over groups"}


def recipe_table(changes: pd.DataFrame, sizes: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """The recipes, ranked per operating point.

    Args:
        sizes: recipe -> persons, images (means over the seeds, rounded) and images_seen.
    """
    rows = []
    for point, here in changes.groupby("operating_point", sort=False):
        gaps = here[(here["kind"] == "FMR gap") & (here["group"] == MEASURE)]
        misses = here[(here["kind"] == "FNMR") & (here["group"] == ALL)]
        for recipe in dict.fromkeys(here["recipe"]):
            start = _row(gaps, recipe, BEFORE)
            beside = gaps[(gaps["recipe"] == recipe) & (gaps["against"] != BEFORE)]
            other = beside.iloc[0].to_dict() if len(beside) else dict.fromkeys(_ENDS, 1.0)
            fnmr = _row(misses, recipe, BEFORE)
            rows.append(
                {
                    "operating_point": point,
                    "recipe": recipe,
                    **sizes[str(recipe)],
                    **{key: start[key] for key in ("before", "after", *_ENDS, "status")},
                    **{f"against_first{end}": other[key] for key, end in _ENDS.items()},
                    "fnmr": fnmr["after"],
                    **{f"fnmr_{key}": fnmr[key] for key in _ENDS},
                }
            )
    table = pd.DataFrame(rows)
    if table.empty:
        return pd.DataFrame(columns=list(RECIPE_COLUMNS))
    table["rank"] = table.groupby("operating_point")["after"].rank(method="min")
    table["rank"] = table["rank"].astype("Int64")
    table = table.sort_values(["operating_point", "rank"], kind="stable", ignore_index=True)
    return table[list(RECIPE_COLUMNS)]


_ENDS = {"ratio": "", "low": "_low", "high": "_high"}


def _row(table: pd.DataFrame, recipe: object, against: str) -> dict[str, Any]:
    found = table[(table["recipe"] == recipe) & (table["against"] == against)]
    if found.empty:
        empty = dict.fromkeys(("before", "after", "ratio"), np.nan)
        return {**empty, "low": 0.0, "high": np.inf, "status": "undefined"}
    return {str(key): value for key, value in found.iloc[0].items()}


def retraining_findings(
    changes: pd.DataFrame,
    recipes: pd.DataFrame,
    association: pd.DataFrame,
    limits: Limits,
) -> list[Finding]:
    """Per operating point: each recipe's disparity, its groups, the ranking, the link."""
    found: list[Finding] = []
    first = str(changes["recipe"].iloc[0]) if len(changes) else ""
    for point, here in changes.groupby("operating_point", sort=False):
        for recipe in dict.fromkeys(here["recipe"]):
            mine = here[here["recipe"] == recipe]
            start = mine[mine["against"] == BEFORE]
            found += _disparity(str(point), str(recipe), start, limits)
            found += _groups(str(point), str(recipe), start, limits)
        found += _ranking(str(point), recipes, first, limits)
    for row in association.to_dict("records"):
        if row["status"] != "undefined":
            keys = {"operating_point": row["operating_point"], "kind": row["kind"]}
            text = f"At {row['operating_point']}: {row['sentence']}"
            found.append(Finding("training_share", "note", text, keys))
    if len(changes) and int(changes["seeds"].min()) < 2:
        text = (
            "Each recipe was trained with one seed only, so its changes may be the seed's and not "
            "the data's; set seeds=[1,2,3] or more."
        )
        found.append(Finding("seeds", "undecided", text, {"seeds": 1}))
    order = ("flag", "watch", "undecided", "note")
    return sorted(found, key=lambda each: order.index(each.level))


def _disparity(point: str, recipe: str, start: pd.DataFrame, limits: Limits) -> list[Finding]:
    rows = start[(start["kind"] == "FMR gap") & (start["group"] == MEASURE)]
    keys = {"operating_point": point, "recipe": recipe, "kind": "FMR gap", "group": MEASURE}
    if rows.empty or rows["status"].iloc[0] == "undefined":
        text = (
            f"Whether retraining on “{recipe}” widened the differences, at {point}, cannot be "
            "told: some group had no false match; measure on more persons or at a higher rate."
        )
        return [Finding("retraining_gap", "undecided", text, keys, limits.parameters())]
    row = rows.iloc[0]
    wider = True if row["low"] > 1 else False if row["high"] < 1 else None
    level = {True: limits.severity, False: "note", None: "undecided"}[wider]
    verb = {True: "grew", False: "shrank", None: "may have grown or shrunk: it went"}[wider]
    text = (
        f"Retraining on “{recipe}”, at {point}: the {WORDS} {verb} from "
        f"{decimal(row['before'])} to {decimal(row['after'])} (×{decimal(row['ratio'])}, "
        f"{_between(row)} over persons and {_seeds(row)})."
    )
    return [Finding("retraining_gap", level, text, keys, limits.parameters(), wider)]


def _groups(point: str, recipe: str, start: pd.DataFrame, limits: Limits) -> list[Finding]:
    rows = start[(start["kind"] == "FMR") & ~start["group"].isin([ALL, UNLABELLED])]
    rows = rows[rows["status"] != "undefined"]
    if rows.empty:
        return []
    with np.errstate(divide="ignore"):
        beyond = (rows["log_change"] - np.log(limits.rise)) / rows["error"]
    p_values = stats.t.sf(beyond.to_numpy(), rows["degrees"].to_numpy())
    risen = holm(p_values) < (1 - limits.level) / 2
    found = []
    for row in rows[risen].to_dict("records"):
        text = (
            f"Retraining on “{recipe}”, at {point}: the false-match rate of “{row['group']}” rose "
            f"to {decimal(row['ratio'])} times what it was ({_between(row)} over persons and "
            f"{_seeds(row)}): from {one_in(row['before'])} to {one_in(row['after'])}."
        )
        keys = {"operating_point": point, "recipe": recipe, "kind": "FMR", "group": row["group"]}
        rule = limits.parameters()
        found.append(Finding("retraining_gap", limits.severity, text, keys, rule, True))
    return found


def holm(p_values: Sequence[float] | Any) -> Any:
    """float64 [m]: p-values adjusted so that the whole family errs at the chosen level.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given)
    factors = np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return adjusted


def _ranking(point: str, recipes: pd.DataFrame, first: str, limits: Limits) -> list[Finding]:
    here = recipes[recipes["operating_point"] == point]
    here = here[here["status"] != "undefined"]
    if len(here) < 2:
        return []
    best = here.iloc[0]
    keys = {"operating_point": point, "recipe": str(best["recipe"])}
    text = (
        f"Of {len(here)} options to retrain, at {point}, “{best['recipe']}” leaves the smallest "
        f"disparity ({decimal(best['after'])}{_misses(best['fnmr'])}). "
    )
    others = here[here["recipe"] != first]
    better = [str(r) for r in others[others["against_first_high"] < 1]["recipe"]]
    worse = [str(r) for r in others[others["against_first_low"] > 1]["recipe"]]
    unclear = [str(r) for r in others["recipe"] if r not in (*better, *worse)]
    text += f"Beside “{first}”, the disparity is clearly smaller after {_names(better)}"
    text += f", clearly larger after {_names(worse)}" if worse else ""
    text += f"; no clear difference after {_names(unclear)}." if unclear else "."
    return [Finding("retraining_options", "note", text, keys, limits.parameters())]


def _misses(rate: float) -> str:
    return f"; FNMR of all {percent(rate)}" if rate == rate else ""


def _names(recipes: Sequence[str]) -> str:
    return ", ".join(f"“{each}”" for each in recipes) or "no other option"


def _between(row: Any) -> str:
    level = f"{100 * float(row['level']):g} %"
    return f"{level} interval {decimal(float(row['low']))} to {decimal(float(row['high']))}"


def _seeds(row: Any) -> str:
    count = int(row["seeds"])
    return f"{count} seeds" if count != 1 else "one seed"
