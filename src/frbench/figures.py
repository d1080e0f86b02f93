"""One function per figure of error rates: table in, inline SVG out.

Every mark differs by shape or printed text as well as by colour, carries its numbers as a
``<title>`` read-out, and takes its colours from the classes of ``templates/report.css``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from frbench.formatting import (
    NOT_MEASURABLE,
    cell_sentence,
    label_text,
    one_in,
    rate_text,
    ratio_text,
    shorten,
)
from frbench.page.changes import change_class, change_mark, change_words
from frbench.page.curves import det_panels
from frbench.page.heat import heat_map
from frbench.page.scores import score_panels
from frbench.page.svg import (
    INSET,
    Axis,
    bands,
    element,
    frame,
    grid,
    linear_axis,
    log_axis,
    marker,
    together,
)
from frbench.values import ALL

__all__ = ["det_panels", "forest", "heat_map", "paired_change", "score_panels"]

Row = Mapping[str, Any]


def forest(rows: pd.DataFrame, *, uid: str, title: str, target: float | None = None) -> Markup:
    """Rates per group with their intervals, one line per group and arm.

    Args:
        rows: RateTable rows of one kind and one operating point, within groups or pooled,
            in the order in which the groups shall appear.
        uid: prefix of the ids inside the figure, unique on the page.
        title: name of the figure for screen readers.
        target: false-match rate at which the threshold was set, drawn as a line.
    """
    records: list[Row] = rows.to_dict("records")  # type: ignore[assignment]
    arms = list(dict.fromkeys(row["arm"] for row in records))
    groups = list(dict.fromkeys(row["probe_group"] for row in records))
    step = 22 + 14 * len(arms)
    axis = _axis_for(records, target)
    bottom = 24 + step * len(groups)
    parts = [bands(len(groups), 24, step), grid(axis, 18, bottom)]
    if target is not None:
        parts.append(_target_line(axis, target, bottom))
    for position, group in enumerate(groups):
        mine = [row for row in records if row["probe_group"] == group]
        parts.append(_forest_group(axis, mine, 24 + position * step, arms))
    described = _described(records, target)
    return frame(uid, title, described, together(parts), width="100%", height=bottom + 26)


def _axis_for(records: Sequence[Row], target: float | None) -> Axis:
    ends = [
        float(row[key]) for row in records if math.isfinite(row["rate"]) for key in ("rate", "high")
    ]
    if records and records[0]["kind"] == "FMR":
        lows = [float(row["low"]) for row in records if row["rate"] > 0]
        return log_axis([*ends, *lows, *([target] if target else [])], decades=6)
    return linear_axis(ends)


def _target_line(axis: Axis, target: float, bottom: float) -> Markup:
    at = axis.at(target)
    x = f"{at:.2f}%"
    anchor = "end" if at > 60 else "start"
    text = element(
        "text", f"target {one_in(target)}", x=x, y=12, class_="target-text", text_anchor=anchor
    )
    return element("line", x1=x, x2=x, y1=0, y2=bottom, class_="target") + text


def _forest_group(axis: Axis, rows: Sequence[Row], top: float, arms: Sequence[str]) -> Markup:
    group = str(rows[0]["probe_group"])
    pooled = group == ALL
    name = "all groups together" if pooled else label_text(group)
    parts = [
        element(
            "text",
            shorten(name),
            x=f"{INSET}%",
            y=top + 13,
            class_="label pooled" if pooled else "label",
        )
    ]
    if len(rows) == 1:
        parts.append(
            element("text", rate_text(rows[0]), x=f"{100 - INSET}%", y=top + 13, class_="value")
        )
    for row in rows:
        place = list(arms).index(row["arm"])
        y = top + 24 + 14 * place
        parts.append(_interval_mark(axis, row, y, arm_class(place, len(arms)), pooled=pooled))
    return element("g", together(parts))


def arm_class(position: int, count: int) -> tuple[str, str]:
    """Shape and class of the arm at a position: the last arm is the one the page is about."""
    return ("diamond", "now") if position == count - 1 else ("ring", "then")


def _interval_mark(axis: Axis, row: Row, y: float, arm: tuple[str, str], *, pooled: bool) -> Markup:
    shape, class_ = arm
    name = "all groups together" if pooled else label_text(row["probe_group"])
    tip = f"{name}: {cell_sentence(row)}"
    if row["arm"]:
        tip = f"{label_text(row['arm'])}, {tip}"
    if not math.isfinite(row["rate"]):
        return _unmeasured(tip, y)
    low, high = axis.at(float(row["low"])), axis.at(float(row["high"]))
    thin = " thin" if row["status"] != "ok" else ""
    kind = f"{class_}{thin}{' pooled' if pooled else ''}"
    parts = [
        element(
            "line",
            element("title", tip),
            x1=f"{low:.2f}%",
            x2=f"{high:.2f}%",
            y1=y,
            y2=y,
            class_=f"interval {kind}",
        ),
        _cap(high, y, kind),
    ]
    if row["rate"] == 0:
        parts.append(marker(low, y, "left", f"mark {kind}", tip))
        return together(parts)
    if not axis.log or row["low"] > axis.low:
        parts.append(_cap(low, y, kind))
    parts.append(marker(axis.at(float(row["rate"])), y, shape, f"mark {shape} {kind}", tip))
    return together(parts)


def _unmeasured(tip: str, y: float) -> Markup:
    inner = element("tspan", NOT_MEASURABLE) + element("title", tip)
    return element("text", inner, x=f"{INSET}%", y=y + 4, class_="none")


def _cap(x: float, y: float, kind: str) -> Markup:
    return element(
        "line", x1=f"{x:.2f}%", x2=f"{x:.2f}%", y1=y - 4, y2=y + 4, class_=f"interval {kind}"
    )


def _described(records: Sequence[Row], target: float | None) -> str:
    measured = [row for row in records if math.isfinite(row["rate"]) and row["probe_group"] != ALL]
    if not measured:
        return "No group could be measured. The table holds the counts."
    worst = max(measured, key=lambda row: float(row["rate"]))
    best = min(measured, key=lambda row: float(row["rate"]))
    text = (
        f"{len(measured)} rates with intervals. Highest: {label_text(worst['probe_group'])}, "
        f"{rate_text(worst)}. Lowest: {label_text(best['probe_group'])}, {rate_text(best)}."
    )
    if target is not None:
        text += f" The target is {one_in(target)}."
    return text + " The table holds every number."


def paired_change(change: pd.DataFrame, *, uid: str, title: str, arms: tuple[str, str]) -> Markup:
    """Each group's rate before and after on one log axis, joined by a line.

    Args:
        change: rows of one kind with group, before, after, ratio, low, high, status.
        uid, title: as in ``forest``.
        arms: names of the two arms, for the read-outs.
    """
    rows: list[Row] = change.to_dict("records")  # type: ignore[assignment]
    axis = log_axis([float(row[key]) for row in rows for key in ("before", "after")], decades=6)
    bottom = 10 + 40 * len(rows)
    parts = [bands(len(rows), 10, 40), grid(axis, 6, bottom)]
    parts += [_pair(axis, row, 10 + 40 * at, arms) for at, row in enumerate(rows)]
    moved = [f"{label_text(row['group'])} {change_words(row)}" for row in rows[:12]]
    described = f"{arms[0]} and {arms[1]}. " + "; ".join(moved) + "."
    return frame(uid, title, described, together(parts), width="100%", height=bottom + 26)


def _pair(axis: Axis, row: Row, top: float, arms: tuple[str, str]) -> Markup:
    before, after = float(row["before"]), float(row["after"])
    name = "all groups together" if row["group"] == ALL else label_text(row["group"])
    text = f"{change_mark(row)} {ratio_text(*(float(row[key]) for key in _RATIO))}"
    parts = [
        element("text", shorten(name), x=f"{INSET}%", y=top + 13, class_="label"),
        element("text", text, x=f"{100 - INSET}%", y=top + 13, class_=f"value {change_class(row)}"),
    ]
    y = top + 26
    tip = (
        f"{name}: {label_text(arms[0])} {_plain(before)}, {label_text(arms[1])} {_plain(after)}; "
        f"{change_words(row)}"
    )
    if not (math.isfinite(before) and math.isfinite(after)):
        return element("g", together([*parts, _unmeasured(tip, y)]))
    ends = axis.at(before), axis.at(after)
    parts.append(
        element(
            "line",
            element("title", tip),
            x1=f"{ends[0]:.2f}%",
            x2=f"{ends[1]:.2f}%",
            y1=y,
            y2=y,
            class_=f"joined {change_class(row)}",
        )
    )
    parts.append(marker(ends[0], y, "left" if before == 0 else "ring", "mark ring then", tip))
    parts.append(marker(ends[1], y, "left" if after == 0 else "diamond", "mark diamond now", tip))
    return element("g", together(parts))


_RATIO = ("ratio", "low", "high")


def _plain(rate: float) -> str:
    if not math.isfinite(rate):
        return NOT_MEASURABLE
    return one_in(rate) if rate > 0 else "none seen"
