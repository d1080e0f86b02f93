"""Score distributions per group, from the histogram of all scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from frbench.formatting import label_text, shorten
from frbench.page.curves import TALL, WIDE
from frbench.page.svg import element, frame, together
from frbench.values import Float64s, Histogram, Int64s

BINS = 72
"""Most bands of scores in a panel."""


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
