"""Tables of what differs for sure and what could have been seen, and of uncertain thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from frbench.formatting import decimal, label_text, percent, ratio_text
from frbench.page.tables import Cell, Column, PageTable, group_name, level_of, records, share_cell

UNSEEN = 100.0
"""A ratio beyond this is printed as such: it says that nothing could have been seen."""


def omnibus_table(rows: pd.DataFrame, caption: str, *, arms: bool) -> PageTable:
    """Whether all groups are alike: one row per kind of error (and arm)."""
    columns = [Column("Of", words=True)]
    columns += [Column("Arm", words=True)] if arms else []
    columns += [Column("p"), Column("p by relabelling"), Column("Answer", words=True)]
    body = []
    for row in records(rows):
        cells = [Cell(str(row["kind"]))]
        cells += [Cell(label_text(row["arm"]))] if arms else []
        cells += [_chance(row["p_value"]), _chance(row["p_permutation"])]
        cells.append(Cell(str(row["verdict"])))
        body.append(tuple(cells))
    return PageTable(caption, tuple(columns), tuple(body))


def pairs_table(rows: pd.DataFrame, caption: str, *, arms: bool) -> PageTable:
    """Every pair of groups: ratio, adjusted chances, and what would have been found."""
    columns = [Column("Group", words=True), Column("Other group", words=True)]
    columns += [Column("Arm", words=True)] if arms else []
    columns += [
        Column("Of", words=True),
        Column(f"Ratio ({level_of(rows)} interval)"),
        Column("p (Holm)"),
        Column("p (BH)"),
        Column("Could find"),
        Column("Answer", words=True),
    ]
    body = []
    for row in records(rows):
        ratio, low, high = (float(row[name]) for name in ("ratio", "low", "high"))
        cells = [Cell(label_text(row["group"])), Cell(label_text(row["other_group"]))]
        cells += [Cell(label_text(row["arm"]))] if arms else []
        cells += [
            Cell(str(row["kind"])),
            Cell(ratio_text(ratio, low, high), ratio),
            _chance(row["p_holm"]),
            _chance(row["p_bh"]),
            _detectable(float(row["minimum_detectable_ratio"])),
            Cell(str(row["verdict"])),
        ]
        body.append(tuple(cells))
    return PageTable(caption, tuple(columns), tuple(body))


def carried_table(rows: pd.DataFrame, caption: str, *, arms: bool) -> PageTable:
    """Rates with the interval as given the threshold, and with the threshold's own added."""
    columns = [Column("Group", words=True)]
    columns += [Column("Arm", words=True)] if arms else []
    columns += [
        Column("Of", words=True),
        Column("Rate"),
        Column(f"At this threshold ({level_of(rows)})"),
        Column("With the threshold's uncertainty"),
    ]
    body = []
    for row in records(rows):
        cells = [Cell(group_name(row["probe_group"]))]
        cells += [Cell(label_text(row["arm"]))] if arms else []
        cells += [
            Cell(str(row["kind"])),
            share_cell(row["rate"], str(row["kind"])),
            _span(row, "low", "high"),
            _span(row, "carried_low", "carried_high"),
        ]
        body.append(tuple(cells))
    return PageTable(caption, tuple(columns), tuple(body))


def _span(row: Mapping[str, Any], low: str, high: str) -> Cell:
    ends = float(row[low]), float(row[high])
    return Cell(f"{percent(ends[0])} to {percent(ends[1])}", ends[1])


def _chance(value: object) -> Cell:
    p = float(str(value))
    if math.isnan(p):
        return Cell("–", math.nan)
    return Cell("< 0.001" if p < 0.001 else f"{p:.3f}", p)


def _detectable(ratio: float) -> Cell:
    if not ratio < UNSEEN:
        return Cell(f"more than {UNSEEN:g}", ratio)
    return Cell(decimal(ratio), ratio)
