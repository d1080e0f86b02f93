"""One ratio per group against one limit, with the error of the whole family held at 5 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from frbench.formatting import integer
from frbench.values import Float64s

POWER = 0.80
FEW_PERSONS = 20
"""Persons below which nothing is said of a group."""
MOST_TIMES = 1000
"""Times the persons at hand beyond which a number is not estimated."""


@dataclass(frozen=True)
class Measured:
    """A positive quantity of one group with its interval.

    Attributes:
        group: whose.
        value, low, high, level: the quantity (infinite over a zero), its interval, its level.
        persons: how many persons it rests on.
    """

    group: str
    value: float
    low: float
    high: float
    level: float
    persons: int

    def standard_error(self, upward: bool) -> float:
        """Of the log, read off one arm of the interval; infinite where that arm is open."""
        z = float(stats.norm.ppf((1 + self.level) / 2))
        ends = (self.value, self.high) if upward else (self.low, self.value)
        if not (ends[0] > 0 and math.isfinite(ends[1])):
            return math.inf
        return max(math.log(ends[1] / ends[0]) / z, 1e-12)


@dataclass(frozen=True)
class Answer:
    """What the interval of one group says about the limit.

    Attributes:
        group: whose.
        beyond: True when the quantity exceeds the limit, False when it does not, None undecided.
        p_value: of "does not exceed", Holm-adjusted over the family.
        persons_needed: about how many persons would decide it; None where it is decided.
        more: it takes more than so many, and the evidence does not say how many more.
    """

    group: str
    beyond: bool | None
    p_value: float
    persons_needed: int | None
    more: bool = False

    def needed(self) -> str:
        """``about 2,400`` or ``more than 2,400``, for an open answer."""
        return f"{'more than' if self.more else 'about'} {integer(self.persons_needed)}"


def against(limit: float, family: Sequence[Measured], *, level: float) -> list[Answer]:
    """Each group's quantity against the limit, tested on the log scale.

    Holm's step-down holds the chance of a single wrong "beyond" in the family at 1 - level. A
    group is "within" when the upper end of its own one-sided interval, at the same level, is.
    """
    exceeding = np.array([_p_value(each, limit, upward=False) for each in family])
    adjusted = holm(exceeding)
    answers = []
    for each, p_value in zip(family, adjusted, strict=True):
        beyond: bool | None = None
        if p_value <= 1 - level:
            beyond = True
        elif _p_value(each, limit, upward=True) <= 1 - level:
            beyond = False
        needed, more = None, False
        if beyond is None:
            needed, more = _persons_needed(each, limit, level, len(family))
        answers.append(Answer(each.group, beyond, float(p_value), needed, more))
    return answers


def holm(p_values: Float64s) -> Float64s:
    """float64: Holm's adjusted p-values, in the order given.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    count = len(p_values)
    order = np.argsort(p_values)
    stepped = np.maximum.accumulate(p_values[order] * np.arange(count, 0, -1))
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _p_value(each: Measured, limit: float, *, upward: bool) -> float:
    """One-sided: of "not above the limit", or with ``upward`` of "not below it"."""
    error = each.standard_error(upward)
    if each.value == 0:
        return 0.0 if upward and each.high < limit else 1.0
    if each.value == math.inf:
        # there is no standard error, but at its own level the interval speaks for itself
        return (1 - each.level) / 2 if not upward and each.low > limit else 1.0
    if not (math.isfinite(error) and math.isfinite(each.value)):
        return 1.0
    distance = math.log(each.value / limit) / error
    return float(stats.norm.sf(-distance if upward else distance))


def _persons_needed(each: Measured, limit: float, level: float, family: int) -> tuple[int, bool]:
    """Persons for an 80 % chance of a decision, were the value the truth; whether it takes more.

    Standard errors shrink with the root of the number of persons (faster where pairs dominate:
    this errs to the safe side), and the family's correction is taken in full. Without any error
    the upper end falls at least as fast as persons are added (the rule of three on persons).
    Rounded up to two digits.
    """
    if each.value == 0 and math.isfinite(each.high):
        return rounded_up(max(each.persons * max(each.high / limit, 1.0), FEW_PERSONS)), False
    error = each.standard_error(upward=each.value < limit)
    if not (each.value > 0 and math.isfinite(each.value) and math.isfinite(error)):
        return rounded_up(max(each.persons, FEW_PERSONS)), True
    if each.value == limit:
        return rounded_up(each.persons * MOST_TIMES), True
    tests = family if each.value > limit else 1
    z = float(stats.norm.isf((1 - level) / tests) + stats.norm.ppf(POWER))
    factor = max((z * error / math.log(each.value / limit)) ** 2, 1.0)
    return rounded_up(each.persons * min(factor, MOST_TIMES)), factor >= MOST_TIMES


def rounded_up(number: float) -> int:
    """To two digits.

    >>> rounded_up(2341)
    2400
    """
    unit = 10.0 ** max(math.floor(math.log10(max(number, 1.0))) - 1, 0)
    return int(math.ceil(number / unit) * unit)
