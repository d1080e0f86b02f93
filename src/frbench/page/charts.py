"""Figures for any verb: values with intervals in rows, and lines over time or rounds.

As on the report page, every mark differs by shape or text as well as by colour, and each carries
its numbers as a read-out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from frbench.formatting import decimal, label_text, shorten
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
    round_step,
    together,
)

WIDE, TALL = 1000.0, 600.0
"""Inner drawing units of a line chart; the browser stretches them."""

Words = Callable[[float], str]


@dataclass(frozen=True)
class Interval:
    """One row of an interval chart; ``low`` and ``high`` may be NaN where there is none."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    note: str = ""

    @property
    def ends(self) -> tuple[float, float]:
        """The interval, or the value twice where there is none."""
        known = not (math.isnan(self.low) or math.isnan(self.high))
        return (self.low, self.high) if known else (self.value, self.value)


@dataclass(frozen=True)
class Line:
    """One series of a line chart: points in order, with an optional band around it.

    Attributes:
        x, y: the points; NaN in ``y`` breaks the line.
        low, high: the band, as long as ``x``, or empty.
        then: whether it is the series that others are compared with, drawn dashed.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    then: bool = False


def interval_chart(
    rows: Sequence[Interval],
    *,
    uid: str,
    title: str,
    log: bool = False,
    reference: float | None = None,
    reference_text: str = "",
    words: Words = decimal,
) -> Markup:
    """Values with their intervals, one row each.

    Args:
        rows: in the order of the figure.
        uid: prefix of the ids inside the figure, unique on the page.
        title: name of the figure for screen readers.
        log: whether the axis is logarithmic, as it should be for ratios and false-match rates.
        reference: a value to draw a line at (1 for ratios, a limit).
        reference_text: what the line is.
        words: how a value is written.
    """
    values = [each for row in rows for each in (*row.ends, row.value) if math.isfinite(each)]
    values += [reference] if reference is not None else []
    axis = log_axis(values, decades=6) if log else _around(values)
    step, top = 38.0, 24.0
    bottom = top + step * len(rows)
    parts = [bands(len(rows), top, step), grid(axis, 18, bottom)]
    if reference is not None:
        x = f"{axis.at(reference):.2f}%"
        anchor = "end" if axis.at(reference) > 60 else "start"
        text = element("text", reference_text, x=x, y=12, class_="target-text", text_anchor=anchor)
        parts += [element("line", x1=x, x2=x, y1=0, y2=bottom, class_="target"), text]
    parts += [_interval(axis, row, top + step * at, words) for at, row in enumerate(rows)]
    told = "; ".join(_said(row, words) for row in rows)
    return frame(uid, title, told, together(parts), width="100%", height=bottom + 26)


def _around(values: Sequence[float]) -> Axis:
    """A linear axis from zero; shares get round percentages, larger numbers round numbers."""
    largest = max(values, default=0.0)
    if largest <= 1:
        return linear_axis(values)
    step = round_step(largest / 5)
    return _Numbers(0.0, math.ceil(largest / step - 1e-9) * step, log=False)


class _Numbers(Axis):
    """An axis whose ticks are numbers, not percentages."""

    def ticks(self) -> list[tuple[float, str]]:
        step = round_step(self.high / 5)
        return [(at * step, f"{at * step:g}") for at in range(round(self.high / step) + 1)]


def _said(row: Interval, words: Words) -> str:
    low, high = row.ends
    between = f" ({words(low)} to {words(high)})" if low < high else ""
    note = f", {row.note}" if row.note else ""
    if not math.isfinite(row.value):
        return f"{label_text(row.name)}: not measurable{note}"
    return f"{label_text(row.name)}: {words(row.value)}{between}{note}"


def _interval(axis: Axis, row: Interval, top: float, words: Words) -> Markup:
    tip, y = _said(row, words), top + 26
    name = element("text", shorten(label_text(row.name)), x=f"{INSET}%", y=top + 14, class_="label")
    said = tip.partition(": ")[2]
    parts = [name, element("text", said, x=f"{100 - INSET}%", y=top + 14, class_="value")]
    if math.isfinite(row.value):
        low, high = (axis.at(end) for end in row.ends)
        parts.append(
            element(
                "line",
                element("title", tip),
                x1=f"{low:.2f}%",
                x2=f"{high:.2f}%",
                y1=y,
                y2=y,
                class_="interval now",
            )
        )
        parts.append(marker(axis.at(row.value), y, "diamond", "mark diamond now", tip))
    return element("g", together(parts))


def line_chart(
    lines: Sequence[Line],
    *,
    uid: str,
    title: str,
    log: bool = False,
    x_name: str,
    y_name: str,
    reference: float | None = None,
    height: int = 232,
    words: Words = decimal,
    x_words: Words = decimal,
    span: tuple[float, float] | None = None,
) -> Markup:
    """Lines over time or rounds, with their bands; one or two lines a panel can be told apart.

    For many groups draw one panel each (``Part.panels``) with the same ``span``.

    Args:
        lines: the series; those marked ``then`` are dashed.
        log: whether the vertical axis is logarithmic; values at or below zero are left out.
        x_name, y_name: what the axes show.
        reference: a horizontal line (a limit, a share of the population).
        span: lowest and highest value of the vertical axis; default: of these lines.
    """
    low, high = span or vertical_span(lines, log=log, reference=reference)
    scale = _Scale(
        min((x for line in lines for x in line.x), default=0.0),
        max((x for line in lines for x in line.x), default=1.0),
        low,
        high,
        log,
    )
    inner = [element("path", d=f"M0 0V{TALL:.0f}H{WIDE:.0f}", class_="grid")]
    texts = []
    for value in scale.ticks():
        y = scale.y(value)
        inner.append(element("path", d=f"M0 {y:.0f}H{WIDE:.0f}", class_="grid"))
        at = 44 + (height - 72) * y / TALL
        texts.append(element("text", words(value), x="13%", y=at, class_="tick end"))
    for x, class_ in ((scale.left, "tick start"), (scale.right, "tick end")):
        place = "14%" if x == scale.left else "96%"
        texts.append(element("text", x_words(x), x=place, y=height - 18, class_=class_))
    if reference is not None and (reference > 0 or not log):
        inner.append(element("path", d=f"M0 {scale.y(reference):.0f}H{WIDE:.0f}", class_="target"))
    inner += [_band(line, scale) for line in lines if len(line.low)]
    for line in lines:
        kind = "then" if line.then else "now"
        path = element("title", _ends_said(line, words))
        inner.append(element("path", path, d=_path(line, scale), class_=f"curve {kind}"))
    plot = element(
        "svg",
        together(inner),
        x="14%",
        y=40,
        width="82%",
        height=height - 72,
        viewBox=f"0 0 {WIDE:.0f} {TALL:.0f}",
        preserveAspectRatio="none",
    )
    heading = element("text", shorten(label_text(title), 34), x="0", y=14, class_="label")
    names = element("text", f"↑ {label_text(y_name)}", x="0", y=30, class_="tick start")
    names += element("text", f"{label_text(x_name)} →", x="96%", y=height - 3, class_="tick end")
    told = "; ".join(_ends_said(line, words) for line in lines)
    body = heading + names + plot + together(texts)
    return frame(uid, label_text(title), told, body, width="100%", height=height)


def vertical_span(
    lines: Sequence[Line], *, log: bool, reference: float | None = None
) -> tuple[float, float]:
    """Lowest and highest value of lines and bands, rounded outwards to the ticks."""
    every = [
        float(value)
        for line in lines
        for series in (line.y, line.low, line.high)
        for value in series
        if math.isfinite(value) and (value > 0 or not log)
    ]
    every += [reference] if reference is not None and (reference > 0 or not log) else []
    every = every or [0.1, 1.0]
    if log:
        first, last = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
        return 10.0**first, 10.0 ** max(last, first + 1)
    low, high = min(0.0, min(every)), max(every)
    step = round_step(max(high - low, 1e-9) / 4)
    return math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step


@dataclass(frozen=True)
class _Scale:
    left: float
    right: float
    low: float
    high: float
    log: bool

    def x(self, value: float) -> float:
        return WIDE * (value - self.left) / ((self.right - self.left) or 1.0)

    def y(self, value: float) -> float:
        if self.log:
            share = math.log10(max(value, self.low) / self.low) / math.log10(self.high / self.low)
        else:
            share = (value - self.low) / ((self.high - self.low) or 1.0)
        return TALL * (1 - min(max(share, 0.0), 1.0))

    def ticks(self) -> list[float]:
        if self.log:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            every = max((last - first) // 4, 1)
            return [10.0**exponent for exponent in range(first, last + 1, every)]
        step = round_step((self.high - self.low) / 4)
        count = round((self.high - self.low) / step)
        return [self.low + at * step for at in range(count + 1)]


def _path(line: Line, scale: _Scale) -> str:
    words, drawing = [], False
    for x, y in zip(line.x, line.y, strict=True):
        if not math.isfinite(y) or (scale.log and y <= 0):
            drawing = False
            continue
        words.append(f"{'L' if drawing else 'M'}{scale.x(x):.0f} {scale.y(y):.0f}")
        drawing = True
    return "".join(words)


def _band(line: Line, scale: _Scale) -> Markup:
    ends = [
        (x, low, high)
        for x, low, high in zip(line.x, line.low, line.high, strict=True)
        if math.isfinite(low) and math.isfinite(high)
    ]
    there = [f"{scale.x(x):.0f} {scale.y(high):.0f}" for x, _, high in ends]
    back = [f"{scale.x(x):.0f} {scale.y(low):.0f}" for x, low, _ in reversed(ends)]
    kind = "then" if line.then else "now"
    return element("path", d=f"M{'L'.join([*there, *back])}Z", class_=f"around {kind}")


def _ends_said(line: Line, words: Words) -> str:
    known = [float(y) for y in line.y if math.isfinite(y)]
    if not known:
        return f"{label_text(line.name)}: nothing measured"
    return f"{label_text(line.name)}: from {words(known[0])} to {words(known[-1])}"
