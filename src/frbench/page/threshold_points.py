"""Rates of every group at a few dozen thresholds, for the page's slider and its download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from frbench.page.curves import ErrorCurve, error_curve
from frbench.values import Histogram, Threshold

MOST = 60
"""Thresholds per arm; the page stays small and a keyboard gets through them."""

LOOSEST = 0.2
"""The slider begins where no group's false-match rate is above this."""

COLUMNS = ("arm", "threshold", "group", "fmr", "fnmr", "few_errors")


@dataclass(frozen=True)
class Slider:
    """One arm's slider.

    Attributes:
        arm: its name, "" when alone.
        thresholds: how many steps it has.
        start: the step nearest to the operating threshold.
        operating: that threshold, or None.
        bin_error: how far a score can lie from the step that counts it, score units.
    """

    arm: str
    thresholds: int
    start: int
    operating: float | None
    bin_error: float


def threshold_points(
    histograms: Mapping[str, Histogram | None],
    groups: Sequence[str],
    thresholds: Mapping[str, Sequence[Threshold]],
) -> tuple[pd.DataFrame, list[Slider]]:
    """The rates at the edges of the histogram, and where each arm's slider starts.

    Completed comparisons within each group; ``few_errors`` where fewer than ten errors of either
    kind stand behind a row. Empty where no histogram was kept.
    """
    rows: list[dict[str, object]] = []
    sliders = []
    for arm, histogram in histograms.items():
        if histogram is None:
            continue
        curves = {
            group: curve
            for at, group in enumerate(groups)
            if (curve := error_curve(histogram, at)) is not None
        }
        steps = _steps(list(curves.values()))
        if len(steps) < 2:
            continue
        edges = next(iter(curves.values())).edges
        rows += [
            dict(
                zip(
                    COLUMNS,
                    (arm, edges[at], group, c.fmr[at], c.fnmr[at], not c.solid[at]),
                    strict=True,
                )
            )
            for at in steps
            for group, c in curves.items()
        ]
        points = thresholds.get(arm, ())
        value = points[0].value if points else None
        start = int(np.argmin(np.abs(edges[steps] - value))) if value is not None else 0
        sliders.append(Slider(arm, len(steps), start, value, float(histogram.bin_error)))
    return pd.DataFrame(rows, columns=list(COLUMNS)), sliders


def _steps(curves: Sequence[ErrorCurve]) -> list[int]:
    """Edges from the loosest threshold of interest to the last that recognises somebody."""
    if not curves:
        return []
    loose = np.max([curve.fmr for curve in curves], axis=0) <= LOOSEST
    alive = np.min([curve.fnmr for curve in curves], axis=0) < 0.95
    chosen = np.flatnonzero(loose & alive)
    if not len(chosen):
        return []
    spread = np.linspace(chosen[0], chosen[-1], min(MOST, chosen[-1] - chosen[0] + 1))
    return [int(at) for at in np.unique(spread.round())]
