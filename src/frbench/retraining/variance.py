"""How much of the differences between retrained matchers the data explains, how much the seed.

y[r, s] = m + a[r] + e[r, s]: a recipe's own part and a seed's, both normal with variances v_data
and v_seed, k recipes, n seeds each. With the mean squares between and within recipes,
v_seed = MSW, v_data = max(0, (MSB − MSW) / n), and F = MSB / MSW gives the exact interval of
v_data / (v_data + v_seed), the intraclass correlation (Searle, Linear Models, 1971, §9.8):
L / (1 + L) with L = (F / F_q − 1) / n at the two quantiles F_q of F(k − 1, k (n − 1)).
Recipes are few and chosen, not drawn: the share speaks of these recipes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from frbench.retraining.effects import Quantity, Run, by_recipe
from frbench.values import Float64s

VARIANCE_COLUMNS = (
    *("operating_point", "kind", "group", "recipes", "seeds", "data_variance", "seed_variance"),
    *("data_share", "low", "high", "level", "f", "p_value", "status"),
)
"""VarianceTable, a row per operating point and quantity, over all retrainings. Variances are of
logs; data_share = data_variance / (data_variance + seed_variance) with its interval; p_value: of
an F at least as large if the recipes made no difference. status: ok, or undefined (one recipe, one
seed, or a rate of zero)."""


def variance_table(
    found: Sequence[Quantity], runs: Sequence[Run], *, level: float = 0.95
) -> pd.DataFrame:
    """The VarianceTable."""
    places = by_recipe(runs)
    rows = []
    for each in found:
        values = np.stack([each.value[mine] for mine in places.values()])
        row = {
            "operating_point": each.point,
            "kind": each.kind,
            "group": each.group,
            "recipes": values.shape[0],
            "seeds": values.shape[1],
            "level": level,
        }
        rows.append({**row, **split(values, level=level)})
    return pd.DataFrame(rows, columns=list(VARIANCE_COLUMNS))


def split(values: Float64s, *, level: float = 0.95) -> dict[str, object]:
    """The two variances and the data's share of float64 [k recipes, n seeds].

    >>> round(split(np.array([[1.0, 3.0], [5.0, 7.0]]))["data_variance"], 6)
    7.0
    """
    recipes, seeds = values.shape
    if recipes < 2 or seeds < 2 or not np.isfinite(values).all():
        nothing = dict.fromkeys(("data_variance", "seed_variance", "data_share"), np.nan)
        return {**nothing, "low": 0.0, "high": 1.0, "f": np.nan, "p_value": np.nan} | {
            "status": "undefined"
        }
    between = seeds * float(values.mean(axis=1).var(ddof=1))
    within = float(values.var(axis=1, ddof=1).mean())
    data = max(0.0, (between - within) / seeds)
    degrees = recipes - 1, recipes * (seeds - 1)
    if within == 0:
        share, low, high = (1.0, 1.0, 1.0) if between > 0 else (np.nan, 0.0, 1.0)
        ratio, p_value = (np.inf, 0.0) if between > 0 else (np.nan, np.nan)
    else:
        ratio = between / within
        share = data / (data + within)
        tail = (1 - level) / 2
        low, high = (
            _share((ratio / stats.f.ppf(q, *degrees) - 1) / seeds) for q in (1 - tail, tail)
        )
        p_value = float(stats.f.sf(ratio, *degrees))
    return {
        "data_variance": data,
        "seed_variance": within,
        "data_share": share,
        "low": low,
        "high": high,
        "f": ratio,
        "p_value": p_value,
        "status": "ok" if np.isfinite(share) else "undefined",
    }


def _share(times: float) -> float:
    return float(np.clip(times / (1 + times), 0.0, 1.0)) if times > 0 else 0.0
