"""The report's tables: rows of cells for the page, and the embedded copies for download."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from frbench.formatting import (
    NOT_MEASURABLE,
    integer,
    label_text,
    percent,
    rate_in_words,
    rate_text,
    scientific,
    why_unsure,
)
from frbench.values import ALL

MOST_ROWS = 300
"""Rows of a cross-group table on the page; the rest is in the download and in ``rates.csv``."""


@dataclass(frozen=True)
class Column:
    """A heading and whether its cells are words (left) or numbers (right)."""

    name: str
    words: bool = False


@dataclass(frozen=True)
class Cell:
    """Text of a cell with the number to sort by: None sorts as text, NaN goes last."""

    text: str
    number: float | None = None

    @property
    def sort_key(self) -> str | None:
        """The number as the page carries it; "" where it is undefined."""
        if self.number is None:
            return None
        return repr(float(self.number)) if math.isfinite(self.number) else ""


@dataclass(frozen=True)
class PageTable:
    """One table of the page; the first cell of each row is its heading."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    pooled: frozenset[int] = frozenset()


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries with string keys."""
    return [{str(key): entry for key, entry in row.items()} for row in table.to_dict("records")]


def level_of(rows: pd.DataFrame) -> str:
    """The confidence level of the rows' intervals, as ``95 %``."""
    return " or ".join(f"{100 * level:g} %" for level in sorted(set(rows["level"])))


def group_name(group: object) -> str:
    """The name of a group, or of the pooled row, as the page prints it."""
    return "all groups together" if group == ALL else label_text(group)


_COUNTED = {
    "FMR": ("False matches", "Comparisons of two people"),
    "FNMR": ("Misses", "Comparisons of one person"),
    "FTE": ("Failures", "Images"),
}


def rate_table(rows: pd.DataFrame, kind: str, caption: str, *, arms: bool) -> PageTable:
    """Rates of one kind with every count: one row per group (and arm)."""
    errors, comparisons = _COUNTED[kind]
    extra = kind != "FTE"
    columns = [Column("Group", words=True)]
    columns += [Column("Arm", words=True)] if arms else []
    columns += [
        Column(f"{kind} ({level_of(rows)} interval)"),
        Column("In words"),
        Column(errors),
        Column(comparisons),
        Column("Persons"),
        Column("Reservation", words=True),
    ]
    if extra:
        columns += [
            Column("Effective comparisons"),
            Column("Failed"),
            Column("Rate without failures"),
            Column("Worst-case rate"),
        ]
    body = [_rate_row(row, kind, arms=arms, extra=extra) for row in records(rows)]
    pooled = frozenset(at for at, group in enumerate(rows["probe_group"]) if group == ALL)
    return PageTable(caption, tuple(columns), tuple(body), pooled)


def _rate_row(row: Mapping[str, Any], kind: str, *, arms: bool, extra: bool) -> tuple[Cell, ...]:
    rate = float(row["rate"])
    cells = [Cell(group_name(row["probe_group"]))]
    cells += [Cell(label_text(row["arm"]))] if arms else []
    cells += [Cell(rate_text(row), rate), Cell(rate_in_words(row), rate)]
    cells += [count_cell(row[key]) for key in ("errors", "comparisons", "subjects")]
    cells.append(Cell(why_unsure(row) or "–"))
    if extra:
        cells += [_worth(row), count_cell(row["failed"])]
        cells += [share_cell(row[key], kind) for key in ("rate_completed", "rate_worst_case")]
    return tuple(cells)


def count_cell(number: object) -> Cell:
    return Cell(integer(number), float(number))  # type: ignore[arg-type]


def _worth(row: Mapping[str, Any]) -> Cell:
    effective = float(row["effective_comparisons"])
    if not math.isfinite(effective):
        return Cell(NOT_MEASURABLE, math.nan)
    return Cell(integer(round(effective)), effective)


def share_cell(rate: object, kind: str) -> Cell:
    value = float(rate)  # type: ignore[arg-type]
    if not math.isfinite(value):
        return Cell(NOT_MEASURABLE, math.nan)
    return Cell(scientific(value) if kind == "FMR" else percent(value), value)


def cross_table(rows: pd.DataFrame, caption: str, target: float | None) -> PageTable:
    """Every pair of groups, the highest rates first, at most ``MOST_ROWS`` of them."""
    ranked = rows.sort_values("rate", ascending=False, na_position="last", kind="stable")
    columns = [
        Column("Group", words=True),
        Column("With group", words=True),
        Column(f"FMR ({level_of(rows)} interval)"),
        Column("In words"),
        Column("False matches"),
        Column("Comparisons of two people"),
        Column("Persons"),
    ]
    columns += [Column("Multiple of the target")] if target else []
    columns.append(Column("Reservation", words=True))
    body = [_cross_row(row, target) for row in records(ranked.head(MOST_ROWS))]
    if len(ranked) > MOST_ROWS:
        caption += f" (the {MOST_ROWS} highest of {len(ranked):,}; all are in the download)"
    return PageTable(caption, tuple(columns), tuple(body))


def _cross_row(row: Mapping[str, Any], target: float | None) -> tuple[Cell, ...]:
    rate = float(row["rate"])
    cells = [
        Cell(group_name(row["probe_group"])),
        Cell(group_name(row["reference_group"])),
        Cell(rate_text(row), rate),
        Cell(rate_in_words(row), rate),
    ]
    cells += [count_cell(row[key]) for key in ("errors", "comparisons", "subjects")]
    if target:
        multiple = rate / target
        known = math.isfinite(multiple)
        cells.append(Cell(f"{multiple:.2g}×" if known else NOT_MEASURABLE, multiple))
    cells.append(Cell(why_unsure(row) or "–"))
    return tuple(cells)


def plain_text(entry: object) -> str:
    return "" if entry is None or (isinstance(entry, float) and math.isnan(entry)) else str(entry)


def named(entry: object) -> str:
    return group_name(plain_text(entry)) if plain_text(entry) else "–"


def counts_table(counts: pd.DataFrame, caption: str) -> PageTable:
    """Persons, images and failures per group."""
    columns = (
        Column("Group", words=True),
        Column("Persons"),
        Column("Images"),
        Column("Failed images"),
    )
    body = [
        (
            Cell(group_name(row["group"])),
            count_cell(row["subjects"]),
            count_cell(row["images"]),
            count_cell(row["failed"]),
        )
        for row in records(counts)
    ]
    return PageTable(caption, columns, tuple(body))


def by_rate(rows: pd.DataFrame, groups: Sequence[str]) -> list[str]:
    """The groups from the highest rate of the last arm to the lowest, unmeasured ones last."""
    if rows.empty:
        return list(groups)
    last = rows[rows["arm"] == rows["arm"].iloc[-1]].set_index("probe_group")["rate"].to_dict()
    known = [group for group in groups if group in last]

    def rank(group: str) -> tuple[bool, float]:
        rate = float(last[group])
        return (not math.isfinite(rate), -rate if math.isfinite(rate) else 0.0)

    return sorted(known, key=rank)
