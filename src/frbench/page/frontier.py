"""The frontier's figure: the worst group's false-match rate against the share recognised."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
from markupsafe import Markup

from frbench.formatting import decimal, label_text, one_in, percent, power
from frbench.page.svg import element, frame, log_axis, together
from frbench.page.tables import Cell, Column, PageTable

TOP, BOTTOM = 30.0, 234.0
LEFT, RIGHT = 12.0, 97.0
"""Percentages of the width between which the curve is drawn."""


def frontier_figure(rows: pd.DataFrame, *, uid: str, title: str) -> Markup | None:
    """One arm's curve with its band; None where no threshold has errors.

    To the right the true-match rate of all, upwards the highest group's FMR, logarithmic: nearer to
    the lower right is better. Thin lines are the interval.
    """
    shown = rows[(rows["worst_fmr"] > 0) & rows["tmr"].notna()].sort_values("threshold")
    if len(shown) < 2:
        return None
    axis = log_axis([*shown["worst_fmr"], *shown["worst_high"]])
    first = min(math.floor(float(shown["tmr"].min()) * 5 + 1e-9) / 5, 0.8)

    def x(tmr: float) -> float:
        return LEFT + (RIGHT - LEFT) * (tmr - first) / (1 - first)

    def y(fmr: float) -> float:
        low, high = math.log10(axis.low), math.log10(axis.high)
        share = (math.log10(max(fmr, axis.low)) - low) / (high - low)
        return BOTTOM - (BOTTOM - TOP) * min(max(share, 0.0), 1.0)

    def path(column: str) -> str:
        points = [(x(t), y(f)) for t, f in zip(shown["tmr"], shown[column], strict=True)]
        return "M" + "L".join(f"{10 * a:.0f} {b:.0f}" for a, b in points)

    lines = [_axes(axis.ticks(), first, x, y)]
    curves = [
        element("path", d=path("worst_high"), class_="curve thin now"),
        element("path", d=path("worst_low"), class_="curve thin now"),
        element("path", d=path("worst_fmr"), class_="curve now"),
    ]
    plot = element(
        "svg", together(curves), x="0", y="0", width="100%", height=260.0,
        viewBox="0 0 1000 260", preserveAspectRatio="none",
    )  # fmt: skip
    marks = [
        element(
            "circle",
            element("title", _tip(row)),
            cx=f"{x(float(row['tmr'])):.2f}%",
            cy=y(float(row["worst_fmr"])),
            r=5,
            class_="mark dot now",
        )
        for _, row in shown[shown["operating_point"] != ""].iterrows()
    ]
    words = f"worst group's false-match rate from {percent(float(shown['worst_fmr'].max()))} down"
    body = together([*lines, plot, *marks])
    return frame(uid, title, words, body, width="100%", height=270)


def _axes(
    ticks: list[tuple[float, str]],
    first: float,
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> Markup:
    parts = []
    for value, _ in ticks:
        at = y(value)
        parts.append(element("line", x1=f"{LEFT}%", x2=f"{RIGHT}%", y1=at, y2=at, class_="grid"))
        text = power(round(math.log10(value)))
        parts.append(element("text", text, x="10.5%", y=at + 4, class_="tick end"))
    for step in range(5):
        value = first + (1 - first) * step / 4
        across = f"{x(value):.2f}%"
        parts.append(element("line", x1=across, x2=across, y1=TOP, y2=BOTTOM, class_="grid"))
        parts.append(element("text", percent(value), x=across, y=BOTTOM + 16, class_="tick"))
    parts.append(element("text", "↑ highest group's FMR", x="0", y=10, class_="tick start"))
    parts.append(element("text", "recognised (TMR) →", x=f"{RIGHT}%", y=268, class_="tick end"))
    return together(parts)


def _tip(row: pd.Series[float]) -> str:
    return (
        f"{row['operating_point']}: highest group's FMR {percent(float(row['worst_fmr']))}, "
        f"TMR {percent(float(row['tmr']))}"
    )


def frontier_table(rows: pd.DataFrame, caption: str) -> PageTable:
    """About a dozen thresholds of the curve, the operating points among them."""
    rows = rows.sort_values("threshold").reset_index(drop=True)
    step = max(len(rows) // 10, 1)
    shown = rows[(rows.index % step == 0) | (rows["operating_point"] != "")]
    columns = ["Threshold", "Highest group", "Its FMR", "Interval of the highest FMR"]
    columns += ["TMR", "Least recognised", "Its TMR", "Operating point"]
    searched = bool((rows["watchlist_size"] > 0).any())
    if searched:
        columns[4:4] = ["FPIR on the watchlist", "Interval"]
    body = []
    for _, row in shown.iterrows():
        cells = [
            Cell(decimal(float(row["threshold"])), float(row["threshold"])),
            Cell(label_text(row["worst_group"])),
            Cell(one_in(float(row["worst_fmr"])), float(row["worst_fmr"])),
            Cell(
                f"{percent(float(row['worst_low']))} to {percent(float(row['worst_high']))}",
                float(row["worst_high"]),
            ),
            Cell(percent(float(row["tmr"])), float(row["tmr"])),
            Cell(label_text(row["least_group"])),
            Cell(percent(float(row["least_tmr"])), float(row["least_tmr"])),
            Cell(str(row["operating_point"])),
        ]
        if searched:
            rate = float(row["worst_fpir"])
            span = f"{percent(float(row['fpir_low']))} to {percent(float(row['fpir_high']))}"
            cells[4:4] = [Cell(percent(rate), rate), Cell(span, float(row["fpir_high"]))]
        body.append(cells)
    words = {"Highest group", "Least recognised", "Operating point"}
    heads = tuple(Column(name, words=name in words) for name in columns)
    return PageTable(caption, heads, tuple(tuple(row) for row in body))
