"""Several forces' bundles -> pooled rates, and how much the forces differ.

Persons of different forces are taken to be different people, so that forces are independent. With
weights w_f = N_f / N and effective comparisons n_f, the pooled rate p = sum e_f / N has the
variance V = sum w_f^2 p_f (1 - p_f) / n_f, with p in the place of p_f where a force saw fewer than
five errors; the interval is Wilson's with p (1 - p) / V comparisons. It speaks of these forces
together. Whether they differ is asked by Q = sum (p_f - p*)^2 / (p* (1 - p*) / n_f) around the mean
p* weighted by n_f, chi-squared with F - 1 degrees of freedom (Cochran 1954); where they do, the
range of another force's rate is p* ± t_{F-2} sqrt(tau^2 + 1 / sum u_f) with the between-force
variance tau^2 of DerSimonian and Laird (1986) (Higgins, Thompson and Spiegelhalter 2009).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from frbench.errors import InputError
from frbench.exchange.counts import Bundle, Cell
from frbench.intervals.wilson import score_interval
from frbench.values import ALL

SCARCE = 5
SHARED = ("matcher", "fingerprint", "policy", "ordered", "labels")
COLUMNS = (
    *("kind", "operating_point", "probe_group", "reference_group", "sources", "held_back"),
    *("errors", "comparisons", "effective_comparisons", "rate", "low", "high", "level"),
    *("rate_at_least", "lowest", "highest", "q", "q_p", "i_squared", "tau"),
    *("another_low", "another_high", "status"),
)


def pool(bundles: Sequence[Bundle]) -> pd.DataFrame:
    """A row per cell that at least one bundle has.

    ``held_back`` counts bundles that have the cell but do not show it. They do so for few errors,
    so that the rate over the others leans upwards; ``rate_at_least`` counts them as free of errors.

    Raises:
        InputError: fewer than two bundles, one twice, or bundles of different things.
    """
    comparable(bundles)
    by_key: dict[tuple[str, str, str, str], list[Cell]] = {}
    for bundle in bundles:
        for cell in bundle.cells:
            if cell.probe_group == ALL or cell.reference_group != ALL:
                key = (cell.kind, cell.point, cell.probe_group, cell.reference_group)
                by_key.setdefault(key, []).append(cell)
    level = min(float(each.about.get("level", 0.95)) for each in bundles)
    rows = [_row(key, cells, level) for key, cells in by_key.items()]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = {"FMR": 0, "FNMR": 1, "FTE": 2}
    return table.sort_values("kind", key=lambda kind: kind.map(order), kind="stable").reset_index(
        drop=True
    )


def comparable(bundles: Sequence[Bundle]) -> None:
    """Raises InputError where bundles measure different things, saying which."""
    if len(bundles) < 2:
        raise InputError("pooling takes at least two bundles.")
    problems = []
    for one, other in itertools.combinations(bundles, 2):
        pair = f"“{one.source}” and “{other.source}”"
        if one.source == other.source or (one.sha256 and one.sha256 == other.sha256):
            problems.append(f"{pair}: the same source twice; people would be counted twice")
        for key in SHARED:
            mine, theirs = one.about.get(key), other.about.get(key)
            if mine != theirs and not (key == "fingerprint" and "" in (mine, theirs)):
                problems.append(f"{pair}: {key} is {mine!r} and {theirs!r}")
        for point in one.thresholds.keys() & other.thresholds.keys():
            scores = one.thresholds[point], other.thresholds[point]
            if not math.isclose(*scores, rel_tol=1e-6):
                problems.append(
                    f"{pair}: {point} is the score {scores[0]:.6g} and {scores[1]:.6g}; measure "
                    "at one fixed threshold (operating_point=fixed)"
                )
        if not one.thresholds.keys() & other.thresholds.keys():
            problems.append(f"{pair}: no operating point in common")
        if bool(one.about.get("synthetic")) != bool(other.about.get("synthetic")):
            problems.append(f"{pair}: one measured synthetic faces, the other real people")
    if problems:
        raise InputError.listing("these bundles cannot be pooled:", list(dict.fromkeys(problems)))


def _row(key: tuple[str, str, str, str], cells: Sequence[Cell], level: float) -> dict[str, Any]:
    shown = [
        (cell.errors, cell.comparisons, cell.effective)
        for cell in cells
        if cell.errors is not None and cell.comparisons and cell.effective
    ]
    found: dict[str, Any] = dict.fromkeys(COLUMNS, math.nan)
    found |= dict(zip(COLUMNS[:4], key, strict=True))
    found |= {"sources": len(shown), "errors": 0, "comparisons": 0, "level": level}
    found |= {"held_back": sum(cell.errors is None for cell in cells), "low": 0.0, "high": 1.0}
    if not shown:
        return found | {"status": "held_back" if found["held_back"] else "empty"}
    errors, comparisons, effective = (
        np.array(each, dtype=np.float64) for each in zip(*shown, strict=True)
    )
    found |= _pooled(errors, comparisons, effective, level)
    unseen = sum(cell.comparisons or 0 for cell in cells if cell.errors is None)
    found["rate_at_least"] = float(errors.sum() / (comparisons.sum() + unseen))
    if len(shown) > 1:
        found |= _between(errors / comparisons, effective, level)
    if found["held_back"]:
        found["status"] = "selected"
    elif found["q_p"] < 0.05:
        found["status"] = "forces_differ"
    else:
        found["status"] = "few_errors" if errors.sum() < 10 else "ok"
    return found


def _pooled(
    errors: np.ndarray[Any, Any],
    comparisons: np.ndarray[Any, Any],
    effective: np.ndarray[Any, Any],
    level: float,
) -> dict[str, Any]:
    total = comparisons.sum()
    rate = errors.sum() / total
    scarce = np.minimum(errors, comparisons - errors) < SCARCE
    each = np.where(scarce, rate, errors / comparisons)
    if rate in (0.0, 1.0):
        # forces of n_f independent comparisons each: what their weighted mean is worth
        number = 1.0 / float(((comparisons / total) ** 2 / effective).sum())
    else:
        variance = float(((comparisons / total) ** 2 * each * (1 - each) / effective).sum())
        number = rate * (1 - rate) / variance if variance > 0 else float(effective.sum())
    bounds = score_interval(np.array([rate]), np.array([number]), level=level)
    return {
        "errors": int(errors.sum()),
        "comparisons": int(total),
        "effective_comparisons": number,
        "rate": float(rate),
        "low": float(bounds.low[0]),
        "high": float(bounds.high[0]),
        "lowest": float((errors / comparisons).min()),
        "highest": float((errors / comparisons).max()),
    }


def _between(
    rates: np.ndarray[Any, Any], effective: np.ndarray[Any, Any], level: float
) -> dict[str, Any]:
    """Cochran's Q, the between-force variance, and from three forces the range of another one."""
    count = len(rates)
    mean = float((rates * effective).sum() / effective.sum())
    spread = mean * (1 - mean)
    if spread == 0:
        return {"q": 0.0, "q_p": 1.0, "i_squared": 0.0, "tau": 0.0}
    weights = effective / spread
    q = float((weights * (rates - mean) ** 2).sum())
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    tau2 = max(0.0, (q - (count - 1)) / scale) if scale > 0 else 0.0
    found = {
        "q": q,
        "q_p": float(stats.chi2.sf(q, count - 1)),
        "i_squared": max(0.0, (q - (count - 1)) / q) if q > 0 else 0.0,
        "tau": math.sqrt(tau2),
    }
    if count >= 3:
        random = 1.0 / (spread / effective + tau2)
        centre = float((rates * random).sum() / random.sum())
        t = float(stats.t.ppf((1 + level) / 2, count - 2))
        reach = t * math.sqrt(tau2 + 1.0 / float(random.sum()))
        found |= {
            "another_low": max(0.0, centre - reach),
            "another_high": min(1.0, centre + reach),
        }
    return found
