"""What every figure is drawn with: escaped elements, axes, and the described frame around them.

Horizontal positions are percentages, so that a figure is as wide as its column, on a desktop, a
phone and paper, while its text keeps its size. Colours come from CSS classes of the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from frbench.formatting import percent, power

INSET = 4.0
"""Share of the width, in per cent, left free at both sides for the text of the outer ticks."""


def element(tag: str, content: str | Markup = "", /, **attributes: object) -> Markup:
    """An element with every attribute and text escaped; ``class_`` is written ``class``."""
    parts = [f"<{tag}"]
    for name, value in attributes.items():
        if value is not None:
            key = name.rstrip("_").replace("_", "-")
            parts.append(f' {key}="{escape(_short(value))}"')
    return Markup("".join(parts) + f">{escape(content)}</{tag}>")


def _short(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def together(parts: Iterable[str | Markup]) -> Markup:
    """The parts one after the other."""
    return Markup("").join(parts)


def frame(uid: str, title: str, description: str, body: Markup, **attributes: object) -> Markup:
    """The ``<svg>`` itself: an image with a name and a description for screen readers."""
    names = element("title", title, id=f"{uid}-t") + element("desc", description, id=f"{uid}-d")
    return element(
        "svg",
        names + body,
        role="img",
        aria_labelledby=f"{uid}-t {uid}-d",
        focusable="false",
        **attributes,
    )


@dataclass(frozen=True)
class Axis:
    """A horizontal axis from ``low`` to ``high``, logarithmic or linear from zero."""

    low: float
    high: float
    log: bool

    def at(self, value: float) -> float:
        """Position in per cent of the width, kept on the axis."""
        if self.log:
            if value <= self.low:
                return INSET
            span = math.log10(self.high / self.low)
            share = math.log10(value / self.low) / span
        else:
            share = (value - self.low) / (self.high - self.low)
        return INSET + (100 - 2 * INSET) * min(max(share, 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Values and their text: decades, or five round steps written as percentages."""
        if self.log:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            return [(10.0**exponent, power(exponent)) for exponent in range(first, last + 1)]
        step = round_step(self.high / 5)
        count = round(self.high / step)
        return [(index * step, percent(index * step)) for index in range(count + 1)]


def round_step(value: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten at or above the value."""
    base = 10.0 ** math.floor(math.log10(value))
    return next(base * step for step in (1, 2, 2.5, 5, 10) if base * step >= value * (1 - 1e-9))


def log_axis(values: Iterable[float], *, decades: int = 7) -> Axis:
    """A log axis around the positive values, at most so many decades below the largest."""
    positive = [value for value in values if math.isfinite(value) and value > 0] or [1e-3, 1e-1]
    last = (
        min(math.ceil(math.log10(max(positive)) - 1e-9), 0)
        if max(positive) <= 1
        else math.ceil(math.log10(max(positive)))
    )
    first = max(math.floor(math.log10(min(positive)) + 1e-9), last - decades)
    return Axis(10.0 ** min(first, last - 1), 10.0**last, log=True)


def linear_axis(values: Iterable[float]) -> Axis:
    """A linear axis from zero to a round number at or above the largest value."""
    largest = max((value for value in values if math.isfinite(value)), default=0.0)
    largest = min(max(largest, 0.01), 1.0)
    step = round_step(largest / 5)
    return Axis(0.0, min(math.ceil(largest / step - 1e-9) * step, 1.0), log=False)


def bands(count: int, top: float, step: float) -> Markup:
    """A shaded band behind every other row, so that a row's text and marks hold together."""
    return together(
        element("rect", x=0, y=top + step * at, width="100%", height=step, class_="band")
        for at in range(0, count, 2)
    )


def grid(axis: Axis, top: float, bottom: float) -> Markup:
    """Vertical grid lines with their ticks' text below."""
    parts = []
    for value, text in axis.ticks():
        x = f"{axis.at(value):.2f}%"
        parts.append(element("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid"))
        parts.append(element("text", text, x=x, y=bottom + 16, class_="tick"))
    return together(parts)


def marker(x: float, y: float, shape: str, class_: str, tip: str = "") -> Markup:
    """A mark at x (per cent) and y (pixels): dot, ring, diamond, left or right arrow."""
    shapes = {
        "dot": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
        "ring": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
        "diamond": "M0-6.5L6.5 0 0 6.5-6.5 0z",
        "left": "M-6 0L3-5V5z",
        "right": "M6 0L-3-5V5z",
    }
    inner = element("path", element("title", tip) if tip else "", d=shapes[shape], class_=class_)
    return element("svg", inner, x=f"{x:.2f}%", y=y, overflow="visible", width=1, height=1)
