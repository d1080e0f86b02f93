"""Who is taken for whom: the false-match rate of every pair of groups against the target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from frbench.formatting import cell_sentence, label_text, one_in, shorten
from frbench.page.svg import element, frame, together

HEAT_STEPS = (0.1, 1 / 3, 0.8, 1.25, 3.0, 10.0, 30.0)
"""Limits between the colours of the heat map, as multiples of the target: from a tenth of it
to thirty times it, with a neutral colour around the target itself."""


def heat_map(
    rows: pd.DataFrame,
    groups: Sequence[str],
    *,
    uid: str,
    title: str,
    target: float,
    ordered: bool = False,
) -> Markup:
    """FMR of every pair of groups as a multiple of the target, coloured on a log scale.

    Args:
        rows: FMR rows of one arm and one operating point, without the pooled one.
        groups: names of the groups, in the order of both sides.
        uid, title: as in ``forest``.
        target: the false-match rate that counts as 1.
        ordered: True when the probe (row) and the reference (column) have different roles;
            otherwise each pair is drawn once, below the diagonal.
    """
    place = {group: position for position, group in enumerate(groups)}
    side = 60 if len(groups) <= 12 else 40
    tall = 34 if len(groups) <= 12 else 22
    left, top = 262, 26
    cells = []
    for row in rows.to_dict("records"):
        first, second = place[row["probe_group"]], place[row["reference_group"]]
        if not ordered and second > first:
            first, second = second, first
        cells.append(_heat_cell(row, target, left + second * side, top + first * tall, side, tall))
    names = [
        element(
            "text",
            f"{position + 1}  {shorten(label_text(group), 34)}",
            x=left - 10,
            y=top + position * tall + tall / 2 + 4,
            class_="heat-row",
        )
        + element(
            "text",
            str(position + 1),
            x=left + position * side + side / 2,
            y=top - 8,
            class_="heat-column",
        )
        for group, position in place.items()
    ]
    width, height = left + side * len(groups) + 4, top + tall * len(groups) + 4
    return frame(
        uid,
        title,
        _heat_described(rows, target),
        together([*names, *cells]),
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        class_="heat",
    )


def _heat_cell(
    row: Mapping[Any, Any], target: float, x: float, y: float, side: float, tall: float
) -> Markup:
    rate = float(row["rate"])
    pair = f"{label_text(row['probe_group'])} × {label_text(row['reference_group'])}"
    if not math.isfinite(rate):
        text, step = "–", "empty"
    elif rate == 0:
        text, step = "0", "zero"
    else:
        multiple = rate / target
        text = _multiple(multiple) if side > 50 else _multiple(multiple)[:-1]
        step = f"step{sum(multiple >= end for end in HEAT_STEPS)}"
    tip = element("title", f"{pair}: {cell_sentence(row)}")
    box = element("rect", tip, x=x + 1, y=y + 1, width=side - 2, height=tall - 2, rx=3)
    weak = "" if row["status"] in ("ok", "empty") or rate == 0 else "*"
    label = element("text", text + weak, x=x + side / 2, y=y + tall / 2 + 4)
    return element("g", box + label, class_=f"cell {step}")


def _multiple(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f}×"
    digits = 1 if value >= 0.95 else 2 if value >= 0.095 else 3
    return f"{value:.{digits}f}×"


def _heat_described(rows: pd.DataFrame, target: float) -> str:
    measured = rows[rows["rate"] > 0]
    if measured.empty:
        return f"No false match was seen in any cell; the target is {one_in(target)}."
    worst = measured.iloc[int(measured["rate"].to_numpy().argmax())]
    above = int((measured["rate"] > target).sum())
    return (
        f"{above} of {len(rows)} cells lie above the target of {one_in(target)}. The highest is "
        f"{label_text(worst['probe_group'])} with {label_text(worst['reference_group'])} at "
        f"{_multiple(float(worst['rate']) / target)} the target. The table holds every number."
    )
