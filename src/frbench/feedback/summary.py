"""Tables of a simulation: the rounds themselves, their course over seeds, growth, and ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from frbench.feedback.loop import FIELDS, History
from frbench.feedback.world import World
from frbench.values import Float64s

ROUND_KEYS = ("policy", "seed", "round", "group")
"""Keys of the table of rounds; the columns after them are ``loop.FIELDS``."""

COURSE_COLUMNS = ("policy", "round", "group", "measure", "mean", "low", "high")
"""mean and central band over all seeds, for every field and ``fpir_relative``."""

GROWTH_COLUMNS = (
    *("policy", "group", "measure", "seeds", "start", "end", "growth", "low", "high", "level"),
    "seeds_growing",
)
"""growth: geometric mean over seeds of end / start of the measure; low, high: Student's interval of
it; start, end: means over seeds; seeds_growing: share of seeds in which it grew at all.
Measures: ``fpir`` and ``fmr`` over the residents' mean, ``share`` over the residents' share."""

RANKING_COLUMNS = (
    *("rank", "policy", "disparity_start", "disparity_end", "low", "high", "against_as_is"),
    *("against_low", "against_high", "false_alerts_gap", "false_alerts", "true_alerts"),
    *("released_held_end", "worst_group"),
)
"""disparity: largest over smallest FPIR, geometric mean over seeds, with the central band of seeds.
against_as_is: end disparity over that of the current policy, paired by seed, with Student's
interval. false_alerts_gap: false alerts a resident of the worst group over the mean, whole run.
Alerts: per seed, whole run. worst_group: of the FPIR at the end, in most seeds."""

MEASURES = ("fpir", "fmr", "share")


def relative(history: History, measure: str, world: World) -> Float64s:
    """float64 [R, S, G]: the measure over what it would be if groups were alike."""
    values = history.of(measure).astype(np.float64)
    if measure == "share":
        return np.asarray(values / world.population)
    return np.asarray(values / (values @ world.population)[..., None])


def disparity(history: History) -> Float64s:
    """float64 [R, S]: largest over smallest FPIR of the groups."""
    values = history.of("fpir").astype(np.float64)
    return np.asarray(values.max(axis=-1) / values.min(axis=-1))


def rounds_table(histories: Sequence[History], groups: Sequence[str], seeds: int) -> pd.DataFrame:
    """A row per policy, seed (the first ``seeds``), round and group."""
    tables = []
    for each in histories:
        values = each.values[:, :, :seeds]
        _, rounds, kept, wide = values.shape
        index = np.indices((rounds, kept, wide)).reshape(3, -1)
        table = {
            "policy": np.full(index.shape[1], each.policy),
            "seed": index[1],
            "round": index[0],
            "group": np.asarray(groups)[index[2]],
        }
        table |= {name: values[at].reshape(-1) for at, name in enumerate(FIELDS)}
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def course(
    histories: Sequence[History], world: World, *, level: float, most: int = 200
) -> pd.DataFrame:
    """The table of ``COURSE_COLUMNS``, of at most ``most`` rounds evenly spread."""
    ends = [(1 - level) / 2, (1 + level) / 2]
    tables = []
    for each in histories:
        rounds = each.values.shape[1]
        chosen = np.unique(np.linspace(0, rounds - 1, min(rounds, most)).round().astype(int))
        measures = {name: each.of(name)[chosen].astype(np.float64) for name in FIELDS}
        measures["fpir_relative"] = relative(each, "fpir", world)[chosen]
        for name, values in measures.items():
            low, high = np.quantile(values, ends, axis=1)
            rows = pd.DataFrame(
                {
                    "policy": each.policy,
                    "round": np.repeat(chosen, len(world.groups)),
                    "group": np.tile(world.groups, len(chosen)),
                    "measure": name,
                    "mean": values.mean(axis=1).reshape(-1),
                    "low": low.reshape(-1),
                    "high": high.reshape(-1),
                }
            )
            tables.append(rows)
    return pd.concat(tables, ignore_index=True)[list(COURSE_COLUMNS)]


def growth_table(histories: Sequence[History], world: World, *, level: float) -> pd.DataFrame:
    """The table of ``GROWTH_COLUMNS``; from the first round to the last."""
    rows = []
    for each in histories:
        for measure in MEASURES:
            ratio = relative(each, measure, world)
            first, last = ratio[0], ratio[-1]
            with np.errstate(divide="ignore"):
                change = np.log(last / first)
            for at, group in enumerate(world.groups):
                mean, low, high = _geometric(change[:, at], level)
                rows.append(
                    {
                        "policy": each.policy,
                        "group": group,
                        "measure": measure,
                        "seeds": change.shape[0],
                        "start": first[:, at].mean(),
                        "end": last[:, at].mean(),
                        "growth": mean,
                        "low": low,
                        "high": high,
                        "level": level,
                        "seeds_growing": float((change[:, at] > 0).mean()),
                    }
                )
    return pd.DataFrame(rows, columns=list(GROWTH_COLUMNS))


def ranking(
    histories: Sequence[History], world: World, *, current: str, level: float
) -> pd.DataFrame:
    """The table of ``RANKING_COLUMNS``, smallest disparity at the end first."""
    ends = {each.policy: np.log(disparity(each)[-1]) for each in histories}
    quantiles = [(1 - level) / 2, (1 + level) / 2]
    rows = []
    for each in histories:
        end = ends[each.policy]
        beside = _geometric(end - ends[current], level)
        low, high = np.exp(np.quantile(end, quantiles))
        alerts = each.of("false_alerts").astype(np.float64)
        per_head = alerts.sum(axis=0).mean(axis=0) / world.population
        worst = np.bincount(each.of("fpir")[-1].argmax(axis=1)).argmax()
        rows.append(
            {
                "policy": each.policy,
                "disparity_start": float(np.exp(np.log(disparity(each)[0]).mean())),
                "disparity_end": float(np.exp(end.mean())),
                "low": low,
                "high": high,
                **dict(zip(("against_as_is", "against_low", "against_high"), beside, strict=True)),
                "false_alerts_gap": float(per_head.max() / (per_head @ world.population))
                if per_head.any()
                else math.nan,
                "false_alerts": alerts.sum(axis=(0, 2)).mean(),
                "true_alerts": each.of("true_alerts").sum(axis=(0, 2)).mean(),
                "released_held_end": each.of("released_held")[-1].sum(axis=1).mean(),
                "worst_group": world.groups[int(worst)],
            }
        )
    table = pd.DataFrame(rows).sort_values("disparity_end", kind="stable", ignore_index=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table[list(RANKING_COLUMNS)]


def _geometric(change: Float64s, level: float) -> tuple[float, float, float]:
    """exp of the mean and of Student's interval of it."""
    number = len(change)
    mean = float(change.mean())
    # alike seeds have no spread, but rounding may leave a crumb
    spread = float(change.std(ddof=1)) if number > 1 else math.inf
    half = float(stats.t.ppf((1 + level) / 2, number - 1)) * spread / math.sqrt(number)
    with np.errstate(over="ignore"):
        return tuple(float(np.exp(each)) for each in (mean, mean - half, mean + half))  # type: ignore[return-value]
