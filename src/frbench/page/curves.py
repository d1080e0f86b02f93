"""Error curves per group, from the histogram of all scores.

One small panel per group: the group's own line stands before the grey lines of all others, so
that any number of groups can be told apart without colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from frbench.formatting import label_text, percent, power, shorten
from frbench.page.svg import element, frame, together
from frbench.values import Float64s, Histogram, Int64s

WIDE, TALL = 1000.0, 600.0
"""Inner drawing units of a panel; the browser stretches them to the panel's size."""

FEWEST_ERRORS = 10
"""Below so many errors of either kind a curve is drawn dotted."""


@dataclass(frozen=True)
class ErrorCurve:
    """FMR and FNMR of one group at every edge of the histogram, completed comparisons only.

    Attributes:
        fmr, fnmr: float64 [B], fractions at threshold = lower edge of each bin.
        solid: bool [B]; whether both rest on at least ten errors.
        edges: float64 [B], the thresholds, score units.
    """

    fmr: Float64s
    fnmr: Float64s
    solid: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    edges: Float64s

    @property
    def equal_error_rate(self) -> float:
        """The rate where both are closest to one another, as their mean."""
        at = int(np.argmin(np.abs(self.fmr - self.fnmr)))
        return float(self.fmr[at] + self.fnmr[at]) / 2


def error_curve(histogram: Histogram, group: int) -> ErrorCurve | None:
    """The curve of one group's comparisons within itself, or None where a kind is missing."""
    mated = histogram.counts[0, group, group].astype(np.float64)
    non_mated = histogram.counts[1, group, group].astype(np.float64)
    if not mated.sum() or not non_mated.sum():
        return None
    false_matches = non_mated[::-1].cumsum()[::-1]
    misses = np.concatenate([[0.0], mated.cumsum()[:-1]])
    enough = (false_matches >= FEWEST_ERRORS) & (misses >= FEWEST_ERRORS)
    return ErrorCurve(
        false_matches / non_mated.sum(), misses / mated.sum(), enough, histogram.edges[:-1]
    )


@dataclass(frozen=True)
class Scale:
    """The common log scales of all panels, from ``10**first`` (misses: ``10**lowest``) to 1."""

    first: int
    lowest: int

    def x(self, fmr: Float64s) -> Float64s:
        return np.round((np.log10(fmr) - self.first) / -self.first * WIDE)

    def y(self, fnmr: Float64s) -> Float64s:
        return np.round(-np.log10(fnmr) / -self.lowest * TALL)


def det_panels(
    curves: Mapping[str, Sequence[ErrorCurve | None]],
    groups: Sequence[str],
    *,
    uid: str,
    thresholds: Mapping[str, float],
) -> list[Markup]:
    """One panel per group: FNMR against FMR, both logarithmic.

    Args:
        curves: per arm, a curve (or None) per group; the last arm is drawn solid.
        groups: names, in the order of the curves.
        uid: prefix of the ids inside the figures.
        thresholds: per arm, the operating threshold, marked on the curve.
    """
    scale = Scale(_first_decade(curves, "fmr"), _first_decade(curves, "fnmr"))
    arms = list(curves)
    crowd = together(
        element("path", d=_path(curve, scale, whole=True), class_="other")
        for curve in curves[arms[-1]]
        if curve is not None
    )
    shared = element("defs", element("g", crowd, id=f"{uid}-crowd"))
    panels = []
    for position, group in enumerate(groups):
        mine = {arm: curves[arm][position] for arm in arms}
        body = _det_axes(scale, f"{uid}-crowd" if len(arms) == 1 else None, mine, thresholds)
        words = _panel_words(list(mine.values()), scale)
        name = label_text(group)
        body += element("text", shorten(name, 30), x="0", y=14, class_="label")
        body += element("text", words, x="0", y=30, class_="tick start")
        panels.append(
            frame(
                f"{uid}-{position}",
                f"Error curve of {name}",
                words,
                (shared if position == 0 else Markup("")) + body,
                width="100%",
                height=232,
            )
        )
    return panels


def _panel_words(curves: Sequence[ErrorCurve | None], scale: Scale) -> str:
    """What stands under a panel's name: the equal error rate of the last arm, or why not."""
    last = curves[-1]
    if last is None:
        return "not measurable: no mated or no non-mated comparisons"
    if not _path(last, scale, whole=True):
        return "no threshold gives errors of both kinds"
    return f"equal error rate about {percent(last.equal_error_rate)}"


def _first_decade(curves: Mapping[str, Sequence[ErrorCurve | None]], kind: str) -> int:
    smallest = 0.1
    for curve in (curve for arm in curves.values() for curve in arm if curve is not None):
        rates: Float64s = getattr(curve, kind)
        rates = rates[rates > 0]
        smallest = min(smallest, float(rates.min()) if len(rates) else smallest)
    return max(math.floor(math.log10(smallest)), -5)


def _det_axes(
    scale: Scale,
    crowd: str | None,
    curves: Mapping[str, ErrorCurve | None],
    thresholds: Mapping[str, float],
) -> Markup:
    lines, texts = [], []
    for decade in range(scale.first, 1):
        share = 1 - decade / scale.first
        lines.append(element("path", d=f"M{share * WIDE:.0f} 0V{TALL:.0f}", class_="grid"))
        if scale.first > -4 or decade % 2 == 0:
            texts.append(
                element(
                    "text",
                    power(decade) if decade else "1",
                    x=f"{14 + 82 * share:.1f}%",
                    y=214,
                    class_="tick",
                )
            )
    for decade in range(scale.lowest, 1):
        share = decade / scale.lowest
        lines.append(element("path", d=f"M0 {TALL * share:.0f}H{WIDE:.0f}", class_="grid"))
        texts.append(
            element(
                "text",
                power(decade) if decade else "1",
                x="12%",
                y=44 + 160 * share,
                class_="tick end",
            )
        )
    inner = [*lines]
    if crowd is not None:
        inner.append(element("use", href=f"#{crowd}"))
    dots = []
    for position, (arm, curve) in enumerate(curves.items()):
        if curve is None:
            continue
        class_ = "now" if position == len(curves) - 1 else "then"
        inner.append(
            element("path", d=_path(curve, scale, whole=True), class_=f"curve thin {class_}")
        )
        inner.append(element("path", d=_path(curve, scale, whole=False), class_=f"curve {class_}"))
        dots.append(_operating_dot(curve, scale, thresholds.get(arm), class_))
    plot = element(
        "svg",
        together(inner),
        x="14%",
        y=40,
        width="82%",
        height=160,
        viewBox=f"0 0 {WIDE:.0f} {TALL:.0f}",
        preserveAspectRatio="none",
    )
    axis = element("text", "↑ FNMR", x="0", y=229, class_="tick start")
    axis += element("text", "FMR →", x="96%", y=229, class_="tick end")
    return plot + together([*texts, *dots]) + axis


def _path(curve: ErrorCurve, scale: Scale, *, whole: bool) -> str:
    chosen = (curve.fmr > 0) & (curve.fnmr > 0)
    chosen &= (curve.fmr >= 10.0**scale.first) & (curve.fnmr >= 10.0**scale.lowest)
    if not whole:
        chosen &= curve.solid
    if not chosen.any():
        return ""
    points = np.column_stack([scale.x(curve.fmr[chosen]), scale.y(curve.fnmr[chosen])])
    points = points[_turns(points)]
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points)


def _turns(points: Float64s) -> Int64s:
    """Positions of the points kept: at least eight units apart, first and last included."""
    kept = [0]
    for position in range(1, len(points)):
        step = np.abs(points[position] - points[kept[-1]]).max()
        if step >= 8 or position == len(points) - 1:
            kept.append(position)
    return np.asarray(kept, dtype=np.int64)


def _operating_dot(curve: ErrorCurve, scale: Scale, threshold: float | None, class_: str) -> Markup:
    if threshold is None:
        return Markup("")
    at = min(int(np.searchsorted(curve.edges, threshold)), len(curve.edges) - 1)
    fmr, fnmr = float(curve.fmr[at]), float(curve.fnmr[at])
    if fmr < 10.0**scale.first or fnmr < 10.0**scale.lowest:
        return Markup("")
    x = 14 + 82 * (math.log10(fmr) - scale.first) / -scale.first
    y = 40 + 160 * math.log10(fnmr) / scale.lowest
    tip = element("title", f"at the operating threshold: FMR {percent(fmr)}, FNMR {percent(fnmr)}")
    return element("circle", tip, cx=f"{x:.2f}%", cy=y, r=4.5, class_=f"mark dot {class_}")
