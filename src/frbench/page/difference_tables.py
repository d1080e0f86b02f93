"""Tables of differences: between groups at one time, and between two arms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from frbench.formatting import decimal, gap_text, label_text, ratio_text
from frbench.page.changes import change_words
from frbench.page.tables import (
    Cell,
    Column,
    PageTable,
    count_cell,
    group_name,
    level_of,
    named,
    plain_text,
    records,
    share_cell,
)

PER_GROUP = "ratio_to_"
"""How the measures begin that compare one group with the rest, a row per group."""


def gap_table(rows: pd.DataFrame, caption: str, *, arms: bool, per_group: bool) -> PageTable:
    """Differentials with their intervals, headed by the measure, or by the group compared."""
    heads = ("Group", "Measure") if per_group else ("Measure", "Worst group")
    columns = [Column(heads[0], words=True)]
    columns += [Column("Arm", words=True)] if arms else []
    columns += [
        Column("Of", words=True),
        Column(f"Value ({level_of(rows)} interval)"),
        Column(heads[1], words=True),
        Column("Against", words=True),
        Column("Groups used"),
        Column("Left out", words=True),
        Column("Reservation", words=True),
    ]
    body = [_gap_row(row, arms=arms, per_group=per_group) for row in records(rows)]
    return PageTable(caption, tuple(columns), tuple(body))


def _gap_row(row: Mapping[str, Any], *, arms: bool, per_group: bool) -> tuple[Cell, ...]:
    left_out = [label_text(name) for name in plain_text(row["groups_left_out"]).split(";") if name]
    reason = {
        "ok": "–",
        "few_errors": "few errors in a group it rests on",
        "undefined": "not defined: a group it needs has no errors or no comparisons",
    }
    heads = [measure_name(str(row["measure"])), named(row["worst_group"])]
    heads = heads[::-1] if per_group else heads
    cells = [Cell(heads[0])]
    cells += [Cell(label_text(row["arm"]))] if arms else []
    cells += [
        Cell(str(row["kind"])),
        Cell(gap_text(row), float(row["value"])),
        Cell(heads[1]),
        Cell(named(row["reference_group"])),
        count_cell(row["groups_used"]),
        Cell(", ".join(left_out) or "none"),
        Cell(reason.get(str(row["status"]), str(row["status"]).replace("_", " "))),
    ]
    return tuple(cells)


MEASURES = {
    "max_min_ratio": "Highest ÷ lowest rate",
    "max_mean_ratio": "Highest ÷ mean rate",
    "worst_to_geometric_mean": "Highest ÷ geometric mean",
    "max_min_difference": "Highest − lowest rate",
    "log_spread": "Mean distance from the geometric mean",
    "standard_deviation": "Standard deviation between groups",
    "mean_relative_deviation": "Mean relative deviation",
    "gini": "Gini index of inequality",
    "gini_corrected": "Gini index of inequality, corrected for few groups",
    "garbe": "GARBE index of inequality",
    "fdr": "Fairness discrepancy rate",
    "inequity_ratio": "Inequity ratio",
    "ratio_to_others": "Ratio to the mean of the other groups",
    "ratio_to_pooled": "Ratio to the pooled rate",
}
"""Plain names of the known measures; the technical name is always printed beside them."""


def measure_name(measure: str) -> str:
    """``Highest ÷ lowest rate (max_min_ratio)``; an unknown measure keeps its own name."""
    plain = MEASURES.get(measure)
    return f"{plain} ({measure})" if plain else label_text(measure.replace("_", " "))


def change_table(
    rows: pd.DataFrame, caption: str, arms: tuple[str, str], *, disparity: bool = False
) -> PageTable:
    """The paired change of each group's rate or of a disparity, with its interval."""
    columns = (
        Column("Measure" if disparity else "Group", words=True),
        Column("Of", words=True),
        Column(label_text(arms[0])),
        Column(label_text(arms[1])),
        Column(f"Ratio ({level_of(rows)} interval)"),
        Column("In words", words=True),
        Column("Reservation", words=True),
    )
    body = [_change_row(row, disparity=disparity) for row in records(rows)]
    return PageTable(caption, columns, tuple(body))


def _change_row(row: Mapping[str, Any], *, disparity: bool) -> tuple[Cell, ...]:
    def spell(entry: float) -> Cell:
        if disparity and math.isfinite(entry):
            return Cell(decimal(entry), entry)
        return share_cell(entry, str(row["kind"]))

    ratio, low, high = (float(row[key]) for key in ("ratio", "low", "high"))
    status = str(row["status"])
    return (
        Cell(measure_name(str(row["group"])) if disparity else group_name(row["group"])),
        Cell(str(row["kind"])),
        spell(row["before"]),
        spell(row["after"]),
        Cell(ratio_text(ratio, low, high), ratio),
        Cell(change_words(row)),
        Cell("–" if status == "ok" else status.replace("_", " ")),
    )
