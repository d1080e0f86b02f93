"""How the scores of a group lie beside everybody's: shifts of mated and non-mated means, and d'."""

from __future__ import annotations

import numpy as np
import pandas as pd

from frbench.cell_errors import divide
from frbench.values import ALL, UNLABELLED, Float64s, Int64s, ScoreTally

SHIFT_COLUMNS = (
    "arm", "group", "mated", "non_mated", "mated_mean", "mated_sd", "non_mated_mean",
    "non_mated_sd", "mated_shift", "non_mated_shift", "d_prime", "score_error", "source",
)  # fmt: skip
"""A row per group (its comparisons within itself) and ``all``. mated, non_mated: completed
comparisons. *_shift: the group's mean less that of all, in standard deviations of all. d_prime:
(mated_mean - non_mated_mean) / sqrt((mated_sd^2 + non_mated_sd^2) / 2). score_error: most that a
mean can be off, since scores are known to their bin; 0 from listed scores (source)."""


def score_shifts(tally: ScoreTally, *, arm: str = "") -> pd.DataFrame:
    """The table of ``SHIFT_COLUMNS``; empty where neither a histogram nor all scores are kept."""
    names = [(at, name) for at, name in enumerate(tally.groups) if name != UNLABELLED]
    moments = _binned(tally) if tally.histogram is not None else _listed(tally)
    if moments is None:
        return pd.DataFrame(columns=list(SHIFT_COLUMNS))
    count, mean, spread, error, source = moments
    spread = np.where(count > 1, spread, np.nan)  # one score has no spread, not a spread of 0
    rows = []
    for at, name in [(len(tally.groups), ALL), *names]:
        shift = divide_signed(mean[:, at] - mean[:, -1], spread[:, -1])
        pooled = np.sqrt(np.mean(spread[:, at] ** 2))
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = float(np.divide(mean[0, at] - mean[1, at], pooled))
        rows.append(
            {
                "arm": arm, "group": name, "mated": int(count[0, at]),
                "non_mated": int(count[1, at]), "mated_mean": mean[0, at],
                "mated_sd": spread[0, at], "non_mated_mean": mean[1, at],
                "non_mated_sd": spread[1, at], "mated_shift": shift[0],
                "non_mated_shift": shift[1], "d_prime": apart, "score_error": error,
                "source": source,
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(SHIFT_COLUMNS))


def divide_signed(numerator: Float64s, denominator: Float64s) -> Float64s:
    """float64: the quotient, NaN where the denominator is 0 or NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


Moments = tuple[Int64s, Float64s, Float64s, float, str]


def _binned(tally: ScoreTally) -> Moments:
    """From the histogram: every score stands at the middle of its bin."""
    histogram = tally.histogram
    assert histogram is not None
    middle = (histogram.edges[:-1] + histogram.edges[1:]) / 2
    size = len(tally.groups)
    own = histogram.counts[:, np.arange(size), np.arange(size), :]
    counts = np.concatenate([own, histogram.counts.sum(axis=(1, 2))[:, None, :]], axis=1)
    total = counts.sum(axis=2)
    mean = divide_signed(counts @ middle, total.astype(np.float64))
    square = divide_signed(counts @ middle**2, total.astype(np.float64))
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    width = float(np.diff(histogram.edges).max())
    return total, mean, spread, width / 2 + histogram.bin_error, "histogram"


def _listed(tally: ScoreTally) -> Moments | None:
    """From the scores themselves, where all are kept."""
    if tally.floor > -np.inf:
        return None
    size = len(tally.groups)
    count = np.zeros((2, size + 1), np.int64)
    first, second = np.zeros((2, 2, size + 1))
    for kind, pairs in enumerate((tally.mated, tally.tail)):
        score = pairs.score.astype(np.float64)
        group = tally.group[pairs.first]
        own = group == tally.group[pairs.second]
        for at in range(size + 1):
            chosen = score if at == size else score[own & (group == at)]
            count[kind, at] = len(chosen)
            first[kind, at] = chosen.sum()
            second[kind, at] = np.sum(chosen**2)
    mean = divide(first, count)
    spread = np.sqrt(np.maximum(divide(second, count) - mean**2, 0.0))
    return count, mean, spread, 0.0, "scores"
