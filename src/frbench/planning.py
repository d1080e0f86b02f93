"""How many persons a test needs to show a ratio, from the variance components of a pilot.

Three numbers say how far comparisons are from independent: the rate p, the covariance of two
comparisons of the same two persons, and that of two comparisons which share one person, both
relative to p squared. Derived in docs/methodology/planning.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from frbench.cell_errors import residuals
from frbench.counted import Counted
from frbench.errors import InputError
from frbench.listed_trials import person_sums
from frbench.trials import row_sums
from frbench.values import UNLABELLED, ScoreTally

MOST_PERSONS = 10_000_000

PLAN_COLUMNS = ("images", "persons", "comparisons", "expected_errors", "design_effect", "power")
"""A row per number of images a person. persons: of each group; comparisons: non-mated ones within
one group; expected_errors: of the group with the lower rate; design_effect: of its rate; power: of
the test with so many persons."""


@dataclass(frozen=True)
class Components:
    """What makes comparisons dependent.

    Attributes:
        pair: covariance of two comparisons of the same two persons, over the squared rate.
        person: covariance of two comparisons that share one person, over the squared rate.
    """

    pair: float = 0.0
    person: float = 0.0

    def __post_init__(self) -> None:
        if not (self.pair >= 0 and self.person >= 0):
            raise InputError(
                f"pair={self.pair:g} and person={self.person:g} must not be negative; 0 and 0 take "
                "all comparisons as independent"
            )

    def relative_variance(self, rate: float, persons: float, images: int) -> float:
        """Var(p) / p^2 of the false-match rate within a group."""
        pairs = persons * (persons - 1) / 2
        comparisons = pairs * images**2
        own = (1 - rate) / (rate * comparisons)
        same = (images**2 - 1) * self.pair / comparisons
        shared = 4 * self.person * (persons - 2) / (persons * (persons - 1))
        return own + same + shared


def components_of(tally: ScoreTally, threshold: float) -> Components:
    """The components of a pilot at a threshold, over its groups' own cells together.

    Raises:
        InputError: fewer than ten false matches, or a threshold below the floor.
    """
    errors = Counted(tally).false_matches(np.float64(threshold))
    cells = [at for at, name in enumerate(tally.groups) if name != UNLABELLED]
    cells = [at for at in cells if errors.errors[at] > 0]
    found = int(errors.errors[cells].sum()) if cells else 0
    if found < 10:
        raise InputError(
            f"the pilot has {found} false matches within groups at threshold {threshold:g}; its "
            "variance components take at least 10, so choose a lower threshold"
        )
    rate = errors.errors / np.maximum(errors.comparisons, 1)
    squared = errors.table.per_cell(errors.table.count.astype(np.float64) ** 2)
    y2 = squared - 2 * rate * errors.trials.products(errors.table) + rate**2 * errors.trials.squares
    away = residuals(person_sums(errors.table), errors.trials.per_person, rate)
    r2 = row_sums(away.power(2))
    m2 = row_sums(errors.trials.per_person.astype(np.float64).power(2))
    total = errors.comparisons.astype(np.float64)
    same_pairs = errors.trials.squares - total
    p2 = rate**2
    pair = np.sum((y2 - total * rate * (1 - rate))[cells]) / max(
        np.sum((same_pairs * p2)[cells]), 1e-300
    )
    person = np.sum((r2 - 2 * y2)[cells]) / max(
        np.sum(((m2 - 2 * errors.trials.squares) * p2)[cells]), 1e-300
    )
    one_image = float(np.sum(same_pairs[cells])) <= 0
    return Components(0.0 if one_image else max(float(pair), 0.0), max(float(person), 0.0))


def plan(
    ratio: float,
    fmr: float,
    *,
    components: Components,
    images: Sequence[int] = (1, 2, 4, 8),
    groups: int = 2,
    level: float = 0.95,
    power: float = 0.80,
) -> pd.DataFrame:
    """The fewest persons a group that show ``ratio`` between a group at ``ratio * fmr`` and one at
    ``fmr`` with ``power``; columns of ``PLAN_COLUMNS``.

    Two-sided test of the log ratio at ``level``, Bonferroni over the pairs of ``groups`` (Holm's
    first step).

    Raises:
        InputError: numbers out of range, or more than ten million persons.
    """
    _check(ratio, fmr, groups, level, power, images)
    risk = (1 - level) / (groups * (groups - 1) / 2)
    z = float(stats.norm.isf(risk / 2))
    rows = []
    for count in images:

        def reached(persons: float, count: int = count) -> float:
            error = math.sqrt(
                components.relative_variance(fmr, persons, count)
                + components.relative_variance(ratio * fmr, persons, count)
            )
            return float(stats.norm.sf(z - math.log(ratio) / error))

        low, high = 3, 4
        while reached(high) < power:
            low, high = high, high * 2
            if high > MOST_PERSONS:
                raise InputError(
                    f"even {MOST_PERSONS:,} persons a group do not show a ratio of {ratio:g} at "
                    f"FMR {fmr:g}; ask for a larger ratio"
                )
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if reached(middle) >= power else (middle + 1, high)
        comparisons = high * (high - 1) // 2 * count**2
        independent = (1 - fmr) / (fmr * comparisons)
        rows.append(
            {
                "images": count,
                "persons": high,
                "comparisons": comparisons,
                "expected_errors": comparisons * fmr,
                "design_effect": components.relative_variance(fmr, high, count) / independent,
                "power": reached(high),
            }
        )
    return pd.DataFrame(rows, columns=list(PLAN_COLUMNS))


def _check(
    ratio: float, fmr: float, groups: int, level: float, power: float, images: Sequence[int]
) -> None:
    if not ratio > 1:
        raise InputError(f"ratio={ratio:g} must lie above 1, e.g. 2")
    if not 0 < fmr < 1 or ratio * fmr >= 1:
        raise InputError(f"fmr={fmr:g} and {ratio:g} times it must lie between 0 and 1, e.g. 1e-3")
    if groups < 2:
        raise InputError(f"groups={groups} must be at least 2")
    for name, value in (("level", level), ("power", power)):
        if not 0 < value < 1:
            raise InputError(f"{name}={value:g} must lie between 0 and 1")
    if not images or any(each < 1 for each in images):
        raise InputError("images must name at least one number of images a person, 1 or more")
