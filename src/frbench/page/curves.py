"""Error curves and score distributions per group, from the histogram of all scores.

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

BINS = 72


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
        first = next((curve for curve in reversed(mine.values()) if curve is not None), None)
        words = (
            "not measurable: it needs mated and non-mated comparisons"
            if first is None
            else (f"equal error rate about {percent(first.equal_error_rate)}")
        )
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


def score_panels(
    histogram: Histogram, groups: Sequence[str], *, uid: str, threshold: float | None
) -> list[Markup]:
    """One panel per group: share of mated and non-mated comparisons in each band of scores."""
    low, high = _occupied(histogram)
    return [
        _score_panel(histogram, position, label_text(group), (low, high), uid, threshold)
        for position, group in enumerate(groups)
    ]


def _occupied(histogram: Histogram) -> tuple[int, int]:
    filled = np.flatnonzero(histogram.counts.sum(axis=(0, 1, 2)))
    if not len(filled):
        return 0, len(histogram.edges) - 1
    return int(filled[0]), int(filled[-1]) + 1


def _score_panel(
    histogram: Histogram,
    group: int,
    name: str,
    span: tuple[int, int],
    uid: str,
    threshold: float | None,
) -> Markup:
    low, high = float(histogram.edges[span[0]]), float(histogram.edges[span[1]])
    kinds = [_shares(histogram.counts[kind, group, group], span) for kind in (0, 1)]
    peak = max((float(share.max()) for share in kinds), default=0.0)
    missing = [
        word for word, share in zip(("mated", "non-mated"), kinds, strict=True) if not share.any()
    ]
    words = (
        f"no {' and no '.join(missing)} comparisons"
        if missing
        else ("mated scores (solid) to the right, non-mated scores (dashed) to the left")
    )
    body = element("path", d=f"M0 {TALL:.0f}H{WIDE:.0f}", class_="grid")
    if peak > 0:
        body += element("path", d=_steps(kinds[1], peak), class_="scores non-mated")
        body += element("path", d=_steps(kinds[0], peak), class_="scores mated")
    plot = element(
        "svg",
        body,
        x="4%",
        y=24,
        width="92%",
        height=110,
        viewBox=f"0 0 {WIDE:.0f} {TALL:.0f}",
        preserveAspectRatio="none",
    )
    parts = [plot, element("text", shorten(name, 30), x="0", y=14, class_="label")]
    if missing:
        parts.append(element("text", words, x="4%", y=60, class_="none"))
    if threshold is not None and low <= threshold <= high:
        x = f"{4 + 92 * (threshold - low) / (high - low):.2f}%"
        parts.append(element("line", x1=x, x2=x, y1=22, y2=136, class_="target"))
    for share, class_ in ((0.0, "tick start"), (0.5, "tick"), (1.0, "tick end")):
        parts.append(
            element(
                "text",
                f"{low + share * (high - low):.2f}",
                x=f"{4 + 92 * share:.0f}%",
                y=150,
                class_=class_,
            )
        )
    return frame(
        f"{uid}-{group}", f"Scores of {name}", words, together(parts), width="100%", height=158
    )


def _shares(counts: Int64s, span: tuple[int, int]) -> Float64s:
    """Counts summed into at most ``BINS`` bands and divided by their total."""
    used = counts[span[0] : span[1]].astype(np.float64)
    starts = np.unique(np.linspace(0, len(used), min(BINS, len(used)), endpoint=False).astype(int))
    bands: Float64s = np.add.reduceat(used, starts)
    return bands / bands.sum() if bands.sum() else bands


def _steps(shares: Float64s, peak: float) -> str:
    width = WIDE / len(shares)
    heights = np.round(TALL * (1 - 0.96 * shares / peak))
    steps = "".join(f"V{height:.0f}H{(at + 1) * width:.0f}" for at, height in enumerate(heights))
    return f"M0 {TALL:.0f}{steps}V{TALL:.0f}z"
