"""Verification accuracy over folds, the figure that papers on LFW and RFW print.

It is an extra for comparison with the literature: it weighs false matches and false non-matches
by how many pairs of each a protocol happens to list, and its threshold moves from fold to fold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frbench.values import Bools, Floats, Int64s


@dataclass(frozen=True)
class FoldAccuracy:
    """Accuracy of each fold at the threshold that is best on the others.

    Attributes:
        by_fold: fractions, in the order of the folds.
        thresholds: score units; a pair is called mated if ``score >= threshold``.
    """

    by_fold: tuple[float, ...]
    thresholds: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over folds, a fraction."""
        return float(np.mean(self.by_fold))

    @property
    def deviation(self) -> float:
        """Standard deviation over folds with ddof 0, a fraction."""
        return float(np.std(self.by_fold))

    def sentence(self) -> str:
        """``0.9910 ± 0.0030 in 10 folds``."""
        return f"{self.mean:.4f} ± {self.deviation:.4f} in {len(self.by_fold)} folds"


def fold_accuracy(score: Floats, mated: Bools, fold: Int64s) -> FoldAccuracy | None:
    """Accuracy over folds, or None where there is one fold only or a fold lacks a kind of pair.

    Source: Huang, Ramesh, Berg, Learned-Miller, "Labeled Faces in the Wild", UMass Amherst
    TR 07-49 (2007), view 2.

    Args:
        score: float [P]; NaN where the comparison failed, which is the answer "not mated".
        mated: bool [P].
        fold: int [P].
    """
    names = np.unique(fold)
    kinds = {(int(each), bool(kind)) for each, kind in zip(fold, mated, strict=True)}
    if len(names) < 2 or len(kinds) < 2 * len(names):
        return None
    known = np.where(np.isnan(score), -np.inf, score).astype(np.float64)
    accuracies, thresholds = [], []
    for name in names:
        here = fold == name
        threshold = best_threshold(known[~here], mated[~here])
        accuracies.append(float(np.mean((known[here] >= threshold) == mated[here])))
        thresholds.append(threshold)
    return FoldAccuracy(tuple(accuracies), tuple(thresholds))


def best_threshold(score: Floats, mated: Bools) -> float:
    """The threshold with the most right decisions; of several, the highest.

    It lies half-way between two neighbouring scores, so that it does not hang on one of them.

    >>> import numpy as np
    >>> best_threshold(np.array([0.9, 0.7, 0.3, 0.1]), np.array([True, True, False, False]))
    0.5
    """
    order = np.argsort(-score, kind="stable")
    ranked, truth = score[order], mated[order]
    gained = np.concatenate([[0], np.cumsum(np.where(truth, 1, -1))])
    allowed = np.concatenate([[True], ranked[1:] != ranked[:-1], [True]])
    gained = np.where(allowed, gained, -len(score) - 1)
    accepted = int(np.argmax(gained))
    if accepted == 0:
        return float(np.inf)
    lowest = float(ranked[accepted - 1])
    if accepted == len(ranked) or np.isinf(ranked[accepted]):
        return lowest
    return (lowest + float(ranked[accepted])) / 2
