"""Stage 5: ScoreTally -> decision thresholds, at target false-match rates or fixed ones.

A threshold never lets the measured FMR exceed its target, and is the lowest score that does not:
with k = floor(target * comparisons) errors allowed, it lies one step above the (k + 1)-th highest
non-mated score, so that comparisons tied with that score are all rejected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from frbench.counting.images import Images
from frbench.counting.layout import non_mated_comparisons
from frbench.errors import InputError
from frbench.values import Floats, ScoreTally, Threshold

RULE_OF_30 = 30
"""Errors below which an error rate is too uncertain to rest a threshold on: Doddington et al.,
"The NIST speaker recognition evaluation", Speech Communication 31 (2000), the rule of 30."""


def choose_thresholds(
    tally: ScoreTally,
    targets: Sequence[float],
    *,
    fixed: Sequence[float] = (),
    chosen_on: str,
) -> tuple[Threshold, ...]:
    """One global threshold per target FMR, in order, then the fixed ones.

    Args:
        tally: the calibration comparisons.
        targets: fractions in (0, 1).
        fixed: thresholds in score units; rounded up to the precision of the scores.
        chosen_on: fingerprint of the embeddings or scores.

    Raises:
        InputError: a target with less than one expected error, or a threshold below the floor.
    """
    comparisons = completed_non_mated(tally)
    chosen = [_at_target(tally, target, comparisons, chosen_on) for target in targets]
    return (*chosen, *(_at_score(tally, value, comparisons, chosen_on) for value in fixed))


def completed_non_mated(tally: ScoreTally) -> int:
    """Number of non-mated comparisons that gave a score."""
    if tally.listed is not None:
        listed = tally.listed
        apart = tally.subject[listed.first] != tally.subject[listed.second]
        return int((apart & ~np.isnan(listed.score)).sum())
    return non_mated_comparisons(
        Images(tally.subject, tally.group, tally.stratum, tally.enrolled, tally.references_from)
    )


def _at_target(tally: ScoreTally, target: float, comparisons: int, chosen_on: str) -> Threshold:
    if not 0 < target < 1:
        raise InputError(f"target FMR {target:g} must lie between 0 and 1; 0.001 means 1 in 1,000")
    # the decimal as it was typed: 0.1 of 30 comparisons is 3, whatever binary makes of 0.1
    expected = Fraction(repr(float(target))) * comparisons
    allowed = math.floor(expected)
    if allowed < 1:
        needed = math.ceil(1 / Fraction(repr(float(target))))
        raise InputError(
            f"target FMR {target:g} cannot be measured with {comparisons:,} completed non-mated "
            f"comparisons: less than one error is expected; it takes at least {needed:,}, so add "
            "images or choose a higher target"
        )
    scores = tally.tail.score
    if len(scores) <= allowed:
        raise InputError(
            f"target FMR {target:g} lies below the floor {tally.floor:g} of this tally, which "
            f"holds the {len(scores):,} highest of {comparisons:,} non-mated scores; raise "
            "comparison.keep_fmr or comparison.tail_limit"
        )
    above = np.partition(scores, len(scores) - allowed - 1)[len(scores) - allowed - 1]
    value = np.nextafter(above, above.dtype.type(np.inf))
    errors = int((scores >= value).sum())
    caution = ""
    if expected < RULE_OF_30:
        caution = (
            f"only {allowed} false matches are allowed at FMR {target:g} among {comparisons:,} "
            f"comparisons, fewer than {RULE_OF_30}: the threshold itself is uncertain"
        )
    return Threshold(
        float(value),
        "target_fmr",
        target,
        errors / comparisons,
        errors,
        comparisons,
        chosen_on,
        caution,
    )


def _at_score(tally: ScoreTally, value: float, comparisons: int, chosen_on: str) -> Threshold:
    scores = tally.tail.score
    rounded = _round_up(value, scores)
    if not math.isfinite(value) or rounded < tally.floor:
        raise InputError(
            f"threshold {value:g} lies below the floor {tally.floor:g} of this tally, under which "
            "non-mated scores are not listed; raise comparison.keep_fmr or the threshold"
        )
    errors = int((scores >= scores.dtype.type(rounded)).sum())
    caution = ""
    if errors < RULE_OF_30:
        caution = (
            f"only {errors} false matches among {comparisons:,} comparisons reach score "
            f"{value:g}, fewer than {RULE_OF_30}: the measured FMR is uncertain"
        )
    achieved = errors / comparisons if comparisons else math.nan
    return Threshold(
        rounded, "fixed", None, achieved, errors, comparisons, chosen_on, caution, source="stated"
    )


def _round_up(value: float, scores: Floats) -> float:
    # a threshold between two scores of float32 decides like the upper one, in any precision
    nearest = scores.dtype.type(value)
    if float(nearest) < value:
        nearest = np.nextafter(nearest, scores.dtype.type(np.inf))
    return float(nearest)
