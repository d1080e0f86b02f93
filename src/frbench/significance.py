"""Tests between groups with persons as the units: do they differ, are they alike, what would show?

Everything works on the logarithms of the groups' rates with the covariance that shared persons
give them; derived, with its limits, in docs/methodology/tests-between-groups.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse, stats

from frbench.cell_errors import CountedErrors, PairErrors, divide, residuals
from frbench.counted import Counted
from frbench.intervals.wilson_effective import effective_number
from frbench.values import UNLABELLED, Float64s, Int64s, ScoreTally, Threshold

POWER = 0.80
FEWEST = 2
"""Errors below which a group's rate has no variance of its own, and an effective number serves."""

TEST_COLUMNS = (
    "arm", "operating_point", "threshold", "kind", "test", "group", "other_group", "ratio", "low",
    "high", "level", "statistic", "df", "p_value", "p_holm", "p_bh", "p_permutation", "margin",
    "p_equivalent", "minimum_detectable_ratio", "verdict",
)  # fmt: skip
"""TestTable. test: ``omnibus`` (all groups alike; groups "") or ``pairwise`` (group over
other_group). ratio, low, high: of the two rates. statistic: F or t, with df its (denominator)
degrees of freedom. p_holm, p_bh: adjusted over the pairs of one kind and operating point.
p_permutation: omnibus for FNMR and FTE only, persons relabelled. p_equivalent: of "the rates
differ by the factor ``margin`` or more" (TOST). minimum_detectable_ratio: the ratio that a test at
this level would find with 80 % power. verdict: ``differs`` (p_holm), ``equivalent`` (within the
margin), ``cannot tell``, or ``no errors``."""


@dataclass(frozen=True)
class GroupRates:
    """One kind of error of several groups at one threshold.

    Attributes:
        names: G groups with comparisons, the unlabelled left out.
        rate: float64 [G].
        covariance: float64 [G, G] of the log rates; for a group with fewer than two errors, or
            without variance among its persons, from its effective number of comparisons and the
            groups' common rate.
        carriers: float64 [G]: degrees of freedom behind each variance.
        errors: int64 [G].
    """

    names: tuple[str, ...]
    rate: Float64s
    covariance: Float64s
    carriers: Float64s
    errors: Int64s


def group_tests(
    tally: ScoreTally,
    thresholds: Sequence[Threshold],
    *,
    rng: np.random.Generator,
    arm: str = "",
    level: float = 0.95,
    margin: float = 1.25,
    draws: int = 999,
) -> pd.DataFrame:
    """The table of ``TEST_COLUMNS``: per operating point and kind an omnibus row and all pairs.

    Args:
        margin: the ratio, above 1, within which two rates count as equivalent.
        draws: relabellings of the permutation test.

    Raises:
        InputError: a threshold below ``tally.floor``.
    """
    counted = Counted(tally)
    table: list[dict[str, Any]] = []
    for threshold in thresholds:
        kinds: dict[str, CountedErrors] = {
            "FMR": counted.false_matches(np.float64(threshold.value)),
            "FNMR": counted.false_non_matches(threshold.value),
            "FTE": counted.failures_to_enrol(),
        }
        for kind, errors in kinds.items():
            groups = group_rates(errors, tally.groups)
            if len(groups.names) < 2:
                continue
            keys = {"arm": arm, "operating_point": threshold.label, "threshold": threshold.value}
            shared = {**keys, "kind": kind, "level": level, "margin": margin}
            whole: dict[str, Any] = {**omnibus(groups)}
            if not isinstance(errors, PairErrors):
                named = [at for at, name in enumerate(tally.groups) if name != UNLABELLED]
                whole["p_permutation"] = relabelled(
                    errors.by_person[named], errors.of_person[named], len(named),
                    draws=draws, rng=rng,
                )  # fmt: skip
            whole["verdict"] = _omnibus_verdict(groups, whole["p_value"], level)
            table.append({**shared, "test": "omnibus", "group": "", "other_group": "", **whole})
            table += [{**shared, **row} for row in pairwise(groups, level=level, margin=margin)]
    return pd.DataFrame(table, columns=list(TEST_COLUMNS))


def group_rates(errors: CountedErrors, names: Sequence[str]) -> GroupRates:
    """The groups' own cells with the covariance of their log rates, persons being the units."""
    used = np.array(
        [at for at, name in enumerate(names) if name != UNLABELLED and errors.comparisons[at] > 0],
        dtype=np.int64,
    )
    rate = divide(errors.errors, errors.comparisons)
    by_person, of_person = _by_person(errors)
    away = residuals(by_person[used], of_person[used], rate[used])
    total = errors.comparisons[used].astype(np.float64)
    covariance = np.asarray((away @ away.T).toarray()) / np.outer(total, total)
    np.fill_diagonal(covariance, errors.variance[used])
    few = (errors.errors[used] < FEWEST) | (errors.errors[used] == errors.comparisons[used])
    # one person, or one pair of persons, shows no variance, which is not to have none
    binomial = rate[used] * (1 - rate[used]) / total
    few |= np.diag(covariance) <= 1e-9 * binomial
    known = np.where(few, np.nan, rate[used])
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = covariance / np.outer(known, known)
    # a rate without variance of its own: binomial at the common rate, with the effective number
    common = float(errors.errors[used].sum() / max(total.sum(), 1.0))
    spare = divide(np.full(len(used), 1 - common), common * effective_number(errors)[used])
    covariance = np.where(np.isnan(covariance), 0.0, covariance)
    covariance[few, few] = spare[few]
    carriers = np.maximum(np.nan_to_num(errors.carriers[used], nan=1.0), 1.0)
    return GroupRates(
        tuple(names[at] for at in used), rate[used], covariance, carriers, errors.errors[used]
    )


def _by_person(errors: CountedErrors) -> tuple[sparse.csr_array, sparse.csr_array]:
    if isinstance(errors, PairErrors):
        return errors.by_person, errors.trials.per_person
    return errors.by_person, errors.of_person


def omnibus(groups: GroupRates) -> dict[str, float]:
    """Welch's test that all rates are alike: Wald's quadratic form on the log rates, against F.

    With weights w_g = 1 / V_g, shares s_g = w_g / sum w and carriers f_g, let
    a = sum_g (1 - s_g)^2 / f_g: the quadratic form over (G - 1) (1 + 2 (G - 2) a / (G^2 - 1)) is
    about F with G - 1 and (G^2 - 1) / (3 a) degrees of freedom (Welch, Biometrika 38, 1951; the
    form here has the covariances of shared persons too). NaN where no group erred.
    """
    log, present = _logs(groups)
    if not present:
        return {"statistic": np.nan, "df": np.nan, "p_value": np.nan}
    count = len(log)
    contrast = np.c_[-np.ones(count - 1), np.eye(count - 1)]
    spread = contrast @ groups.covariance @ contrast.T
    difference = contrast @ log
    wald = float(difference @ np.linalg.pinv(spread, hermitian=True) @ difference)
    weight = divide(np.ones(count), np.diag(groups.covariance))
    share = np.nan_to_num(weight / np.nansum(weight))
    a = float(np.sum((1 - share) ** 2 / groups.carriers))
    statistic = wald / (count - 1) / (1 + 2 * (count - 2) * a / (count**2 - 1))
    free = (count**2 - 1) / (3 * a)
    p_value = float(stats.f.sf(statistic, count - 1, free))
    return {"statistic": statistic, "df": free, "p_value": p_value}


def pairwise(
    groups: GroupRates, *, level: float = 0.95, margin: float = 1.25
) -> list[dict[str, Any]]:
    """A row per pair of groups, p-values adjusted over all of them."""
    log, _ = _logs(groups)
    rows: list[dict[str, Any]] = []
    for one, other in itertools.combinations(range(len(log)), 2):
        own = groups.covariance[[one, other], [one, other]]
        error = float(np.sqrt(max(own.sum() - 2 * groups.covariance[one, other], 0.0)))
        error = error or np.inf  # no variance at all proves nothing
        spread = float(np.sum(own**2 / groups.carriers[[one, other]]))
        free = float(own.sum()) ** 2 / spread if spread > 0 else 1.0
        away = float(log[one] - log[other])
        silent = groups.errors[one] == 0 and groups.errors[other] == 0
        reach = float(stats.t.ppf((1 + level) / 2, free)) * error
        statistic = np.nan if silent else away / error
        inside = [(np.log(margin) - away) / error, (np.log(margin) + away) / error]
        few = min(groups.errors[one], groups.errors[other]) == 0
        wanted = reach + float(stats.t.ppf(POWER, free)) * error
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = float(np.divide(groups.rate[one], groups.rate[other]))
        with np.errstate(over="ignore"):
            ends = {
                "ratio": ratio,
                "low": 0.0 if few else ratio * float(np.exp(-reach)),
                "high": np.inf if few else ratio * float(np.exp(reach)),
                "minimum_detectable_ratio": np.inf if silent else float(np.exp(wanted)),
            }
        rows.append(
            {
                "test": "pairwise",
                "group": groups.names[one],
                "other_group": groups.names[other],
                **ends,
                "statistic": statistic,
                "df": free,
                "p_value": np.nan if silent else 2 * float(stats.t.sf(abs(statistic), free)),
                "p_equivalent": 1.0
                if few
                else max(float(stats.t.sf(each, free)) for each in inside),
                "p_permutation": np.nan,
            }
        )
    raw = np.array([row["p_value"] for row in rows], dtype=np.float64)
    holm, bh = adjusted(raw)
    for row, first, second in zip(rows, holm, bh, strict=True):
        verdict = "cannot tell"
        if np.isnan(row["p_value"]):
            verdict = "no errors"
        elif first <= 1 - level:
            verdict = "differs"
        elif row["p_equivalent"] <= 1 - level:
            verdict = "equivalent"
        row.update(p_holm=first, p_bh=second, verdict=verdict)
    return rows


def adjusted(p_values: Float64s) -> tuple[Float64s, Float64s]:
    """Holm's (family-wise) and Benjamini and Hochberg's (false discoveries), NaN left out.

    >>> holm, bh = adjusted(np.array([0.01, np.nan, 0.04, 0.03]))
    >>> holm.tolist(), bh.round(6).tolist()
    ([0.03, nan, 0.06, 0.06], [0.03, nan, 0.04, 0.04])
    """
    holm, bh = np.full((2, len(p_values)), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    if len(known):
        order = known[np.argsort(p_values[known])]
        stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
        holm[order] = np.minimum(stepped, 1.0)
        bh[known] = stats.false_discovery_control(p_values[known])
    return holm, bh


def relabelled(
    by_person: sparse.csr_array,
    of_person: sparse.csr_array,
    groups: int,
    *,
    draws: int,
    rng: np.random.Generator,
) -> float:
    """p of "who errs does not depend on the group", by dealing the groups' labels out anew.

    Exact whatever the persons' own rates, since persons with their errors stay whole. The
    statistic is sum_g N_g (p_g - p)^2. Persons in several groups are left out; NaN where fewer
    than two groups or no errors remain. Not for false matches, where the label of one person
    changes the group of many comparisons.
    """
    trials = of_person[:groups].toarray().astype(np.float64)
    errors = by_person[:groups].toarray().astype(np.float64)
    whole = (trials > 0).sum(axis=0) == 1
    label = trials[:, whole].argmax(axis=0)
    mine, wrong = trials[:, whole].sum(axis=0), errors[:, whole].sum(axis=0)
    if len(np.unique(label)) < 2 or wrong.sum() == 0:
        return float("nan")
    pooled = wrong.sum() / mine.sum()

    def spread(dealt: Int64s) -> float:
        total = np.bincount(dealt, weights=mine, minlength=groups)
        away = np.bincount(dealt, weights=wrong, minlength=groups) - pooled * total
        return float(np.sum(divide(away**2, total)[total > 0]))

    seen = spread(label)
    beyond = sum(spread(rng.permutation(label)) >= seen * (1 - 1e-12) for _ in range(draws))
    return (1 + beyond) / (1 + draws)


def _logs(groups: GroupRates) -> tuple[Float64s, bool]:
    """Log rates; a group without errors stands at half an error, which its variance outweighs."""
    if groups.errors.sum() == 0:
        return np.zeros(len(groups.rate)), False
    least = groups.rate[groups.rate > 0].min() / 2
    worth = divide(np.ones(len(groups.rate)), np.diag(groups.covariance))
    common = float(np.average(groups.rate, weights=np.nan_to_num(worth, nan=1.0) + 1e-300))
    # half an event among those that the common rate would give this group: log(0.5 / expected)
    silent = np.log(common) + np.log(0.5 / np.maximum(worth, 0.5))
    with np.errstate(divide="ignore"):
        known = np.log(np.maximum(groups.rate, np.finfo(float).tiny))
    return np.where(groups.rate > 0, known, np.minimum(silent, np.log(max(common, least)))), True


def _omnibus_verdict(groups: GroupRates, p_value: float, level: float) -> str:
    if groups.errors.sum() == 0:
        return "no errors"
    return "differs" if p_value <= 1 - level else "cannot tell"
