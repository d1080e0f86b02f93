"""Made-up runs for the report's tests: every number is invented and every set is synthetic.

The error counts are drawn from a binomial law around planted rates and the intervals are plain
Wilson intervals on the persons, so that the pages look like real ones without measuring anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from frbench.reporting import ReportData
from frbench.tables import GAP_COLUMNS, RATE_COLUMNS
from frbench.values import Finding, Histogram, Threshold

EIGHT = tuple(
    f"{sex}, {skin} skin, {age}"
    for sex in ("female", "male")
    for skin in ("darker", "lighter")
    for age in ("under 35", "35 and over")
)
HOSTILE = (
    "<script>alert('x')</script>",
    "\"quoted\" & 'single' </script><img src=x onerror=alert(1)>",
    "שלום עולם",
    "\u202eevil reversed",
    "long " * 60,
    "👩🏿‍🦱 emoji 🚓",
    "=cmd|' /C calc'!A0",
    "漢字の長いラベルはどこまでも続いていくのである漢字の長いラベル",
)


def wilson(errors: float, trials: float) -> tuple[float, float]:
    """The 95 % Wilson interval, the whole range for no trials."""
    if not trials:
        return 0.0, 1.0
    z, rate = 1.96, errors / trials
    middle = rate + z * z / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    low, high = ((middle + sign * half) / (1 + z * z / trials) for sign in (-1, 1))
    return (0.0 if errors == 0 else max(low, 0.0)), min(high, 1.0)


def rate_row(kind: str, first: str, second: str, errors: int, comparisons: int, **more: object):
    """One RateTable row with an interval on a fifth of the comparisons, as if deff were 5."""
    effective = comparisons / 5
    low, high = wilson(errors / 5, effective)
    failed = int(comparisons * 0.004)
    subjects = int(more.pop("subjects", 60))
    status = "ok"
    if not comparisons:
        status = "empty"
    elif subjects < 20:
        status = "few_subjects"
    elif errors < 10:
        status = "few_errors"
    rate = errors / comparisons if comparisons else math.nan
    return {
        "arm": "",
        "matcher": "made-up",
        "benchmark": "synthetic",
        "policy": "all",
        "operating_point": "FMR 0.001",
        "threshold": 0.412,
        "kind": kind,
        "probe_group": first,
        "reference_group": second,
        "errors": errors,
        "comparisons": comparisons,
        "failed": failed,
        "subjects": subjects,
        "rate": rate,
        "low": low,
        "high": high,
        "level": 0.95,
        "interval": "wilson",
        "effective_comparisons": effective if comparisons else math.nan,
        "design_effect": 5.0,
        "rate_completed": rate,
        "rate_worst_case": rate,
        "status": status,
        **more,
    }


def rate_rows(
    groups: Sequence[str],
    planted: Sequence[float],
    rng: np.random.Generator,
    *,
    target: float = 1e-3,
    empty: Sequence[str] = (),
    **more: object,
) -> list[dict[str, object]]:
    """FMR, FNMR and FTE of every group, every pair of groups and the pool."""
    rows, pool = [], [0, 0]
    for second, one in enumerate(groups):
        for first, other in enumerate(groups[: second + 1]):
            same = first == second
            rate = planted[first] if same else 0.2 * math.sqrt(planted[first] * planted[second])
            trials = 0 if {one, other} & {*empty} else (60_000 if same else 90_000)
            errors = int(rng.binomial(trials, min(rate * target / 1e-3, 1.0)))
            pool = [pool[0] + errors, pool[1] + trials]
            rows.append(rate_row("FMR", other, one, errors, trials, **more))
    rows.append(rate_row("FMR", "all", "all", *pool, subjects=480, **more))
    for kind, base, size in (("FNMR", 0.03, 2000), ("FTE", 0.006, 1200)):
        counts = []
        for position, group in enumerate(groups):
            trials = 0 if group in empty else size
            rate = base * (1 + 0.25 * position) * (0.5 if target > 1e-3 else 1)
            counts.append((int(rng.binomial(trials, min(rate, 0.9))), trials))
            rows.append(rate_row(kind, group, group, *counts[-1], **more))
        errors, trials = np.sum(counts, axis=0).tolist()
        rows.append(rate_row(kind, "all", "all", errors, trials, subjects=480, **more))
    return rows


def gap_row(measure: str, kind: str, value: float, unit: str, **more: object):
    """One GapTable row with an interval of a quarter around its value."""
    return {
        "arm": "",
        "matcher": "made-up",
        "benchmark": "synthetic",
        "policy": "all",
        "operating_point": "FMR 0.001",
        "threshold": 0.412,
        "kind": kind,
        "measure": measure,
        "value": value,
        "low": value * 0.75,
        "high": value * 1.25,
        "level": 0.95,
        "unit": unit,
        "worst_group": "",
        "reference_group": "",
        "groups_used": 8,
        "groups_left_out": "",
        "status": "ok",
        **more,
    }


def gap_rows(groups: Sequence[str], **more: object) -> list[dict[str, object]]:
    """A few differentials, one of them undefined."""
    named = {"worst_group": groups[0], "reference_group": groups[-1]}
    undefined = {"low": math.nan, "high": math.nan, "status": "undefined"}
    return [
        gap_row("max_min_ratio", "FMR", 8.2, "ratio", **named, **more),
        gap_row("worst_to_geometric_mean", "FMR", 2.9, "ratio", **named, **more),
        gap_row("log_spread", "FMR", 0.31, "log10_ratio", **more),
        gap_row("garbe", "FMR", 0.45, "index", **more),
        gap_row("max_min_difference", "FNMR", 0.021, "difference", **named, **more),
        gap_row(
            "named_ratio",
            "FMR",
            math.nan,
            "ratio",
            groups_left_out=f"{groups[0]};x",
            **{**undefined, **more},
        ),
    ]


def histogram(groups: int, rng: np.random.Generator, *, shift: float = 0.0) -> Histogram:
    """Two bells of scores per group, the non-mated ones creeping right with the group's number."""
    edges = np.linspace(-1, 1, 513)
    counts = np.zeros((2, groups, groups, 512), dtype=np.int64)
    for group in range(groups):
        creep = 0.1 * group / max(groups - 1, 1) + shift
        counts[0, group, group] = np.histogram(rng.normal(0.62, 0.12, 2_000), edges)[0]
        counts[1, group, group] = np.histogram(rng.normal(0.02 + creep, 0.11, 60_000), edges)[0]
    return Histogram(edges, counts, bin_error=0.002)


def threshold(target: float | None = 1e-3, value: float = 0.412) -> Threshold:
    """An operating point with invented calibration counts."""
    return Threshold(
        value,
        "fixed" if target is None else "target_fmr",
        target,
        9.9e-4,
        2_970,
        3_000_000,
        "0" * 16,
    )


def findings() -> list[Finding]:
    """One finding per level."""
    rule = {"measure": "max_min_ratio", "limit": 2.0}
    return [
        Finding("tested", "note", "8 groups were measured; 0 were left out.", {}, {}),
        Finding(
            "fmr_gap",
            "flag",
            "People in the worst-off group are wrongly matched 8.2 times as "
            "often as in the best-off group (95 % interval 6.2 to 10.3; limit 2).",
            {"measure": "max_min_ratio", "kind": "FMR"},
            rule,
            True,
        ),
        Finding(
            "fnmr_gap",
            "undecided",
            "Whether misses differ by more than 2 points cannot be "
            "decided: the interval runs from 1.1 to 3.1 points.",
            {"kind": "FNMR"},
            rule,
        ),
        Finding(
            "fte_gap",
            "watch",
            "Images of one group fail to enrol twice as often as the average.",
            {"kind": "FTE"},
            rule,
        ),
    ]


def record(groups: Sequence[str], **more: object) -> dict[str, object]:
    """A run.json of an invented run."""
    return {
        "schema_version": 1,
        "run_id": "2026-01-01T000000_evaluate_made-up_synthetic",
        "verb": "evaluate",
        "started": "2026-01-01T00:00:00Z",
        "finished": "2026-01-01T00:01:00Z",
        "config": {"benchmark": {"name": "synthetic"}, "operating_point": {"target_fmr": [1e-3]}},
        "overrides": ["matcher=tiny"],
        "code": {"revision": "0" * 40, "dirty": False},
        "packages": {"frbench": "0.1.0"},
        "machine": {"cpus": 2},
        "benchmark": {
            "name": "synthetic",
            "version": "1",
            "synthetic": True,
            "about": {"source": "invented for a test", "labels": "known by construction"},
            "images": 1200 * len(groups),
            "subjects": 60 * len(groups),
            "groups": list(groups),
        },
        "matchers": [
            {
                "arm": "",
                "name": "made-up",
                "identity": "0" * 16,
                "preprocess": "none",
                "fingerprint": "0" * 16,
            }
        ],
        "artefacts": {"rates.csv": "0" * 64},
        **more,
    }


def one_arm(
    groups: Sequence[str] = EIGHT,
    *,
    targets: Sequence[float] = (1e-3,),
    empty: Sequence[str] = (),
    seed: int = 7,
) -> ReportData:
    """One matcher; FMR falls from 8 times the target in the first group to below it."""
    rng = np.random.default_rng(seed)
    planted = np.geomspace(8e-3, 2e-4, len(groups)) if len(groups) > 1 else np.array([1e-3])
    points = [threshold(target, 0.412 - 0.05 * at) for at, target in enumerate(targets)]
    rates, gaps = [], []
    for point in points:
        keys = {"operating_point": point.label, "threshold": point.value}
        rates += rate_rows(groups, planted, rng, target=point.target_fmr, empty=empty, **keys)
        gaps += gap_rows(groups, **keys)
    counts = pd.DataFrame({"group": list(groups), "subjects": 60, "images": 1200, "failed": 6})
    counts.loc[counts["group"].isin(empty), ["subjects", "images", "failed"]] = 0
    return ReportData(
        record=record(groups),
        rates=pd.DataFrame(rates, columns=list(RATE_COLUMNS)),
        gaps=pd.DataFrame(gaps, columns=list(GAP_COLUMNS)),
        findings=findings(),
        thresholds={"": points},
        groups=tuple(groups),
        counts=counts,
        histograms={"": histogram(len(groups), rng)},
    )


def two_arms(groups: Sequence[str] = EIGHT, *, seed: int = 7) -> ReportData:
    """Before and after retraining: the first half of the groups gets worse, the rest better."""
    rng = np.random.default_rng(seed)
    before = np.full(len(groups), 9e-4)
    after = before * np.geomspace(4.5, 0.4, len(groups))
    rates, gaps = [], []
    for arm, planted, value in (("before", before, 0.412), ("after", after, 0.431)):
        rates += rate_rows(groups, planted, rng, arm=arm, threshold=value)
        gaps += gap_rows(groups, arm=arm, threshold=value)
    table = pd.DataFrame(rates, columns=list(RATE_COLUMNS))
    one = one_arm(groups, seed=seed)
    matcher = one.record["matchers"][0]
    retrained = one.record | {
        "verb": "retrain",
        "matchers": [{**matcher, "arm": "before"}, {**matcher, "arm": "after"}],
    }
    return replace(
        one,
        record=retrained,
        rates=table,
        gaps=pd.DataFrame(gaps, columns=list(GAP_COLUMNS)),
        thresholds={"before": [threshold()], "after": [threshold(value=0.431)]},
        histograms={
            "before": histogram(len(groups), rng),
            "after": histogram(len(groups), rng, shift=0.03),
        },
        change=change_rows(table, groups),
    )


def change_rows(rates: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """The change of each group's FMR and FNMR, and of one disparity."""
    within = rates[rates["probe_group"] == rates["reference_group"]]
    rows = []
    for kind in ("FMR", "FNMR"):
        for group in ("all", *groups):
            cell = within[(within["kind"] == kind) & (within["probe_group"] == group)]
            old, new = (
                float(cell.loc[cell["arm"] == arm, "rate"].iloc[0]) for arm in ("before", "after")
            )
            ratio = new / old if old > 0 and new > 0 else math.nan
            rows.append(
                {
                    "kind": kind,
                    "group": group,
                    "before": old,
                    "after": new,
                    "ratio": ratio,
                    "low": ratio / 1.3,
                    "high": ratio * 1.3,
                    "level": 0.95,
                    "status": "ok" if ratio == ratio else "undefined",
                }
            )
    rows.append(
        {
            "kind": "FMR gap",
            "group": "max_min_ratio",
            "before": 1.2,
            "after": 11.0,
            "ratio": 9.2,
            "low": 5.0,
            "high": 14.0,
            "level": 0.95,
            "status": "ok",
        }
    )
    return pd.DataFrame(rows).assign(operating_point="FMR 0.001")


def one_group() -> ReportData:
    """A set with a single group: nothing to compare with."""
    return replace(
        one_arm(("everyone",)), gaps=pd.DataFrame(columns=list(GAP_COLUMNS)), findings=[]
    )


def fifty_groups(*, targets: Sequence[float] = (1e-3, 1e-2)) -> ReportData:
    """As many groups as the largest public table has, at two operating points."""
    return one_arm(
        [
            f"region {at // 10 + 1}, {'F' if at % 2 else 'M'}, band {at % 10 // 2 + 1}"
            for at in range(50)
        ],
        targets=targets,
    )


def hostile() -> ReportData:
    """Labels that try to break out of HTML, SVG, JSON and CSV."""
    return one_arm(HOSTILE)


def with_gaps_in_the_data() -> ReportData:
    """One group without any comparison, one without errors, one of few persons."""
    run = one_arm(empty=(EIGHT[2],))
    rates = run.rates.copy()
    none_seen = (rates["probe_group"] == EIGHT[5]) & (rates["reference_group"] == EIGHT[5])
    none_seen &= rates["kind"].isin(["FMR", "FNMR"])
    rates.loc[none_seen, ["errors", "rate", "low", "high", "status"]] = [
        0,
        0.0,
        0.0,
        3e-4,
        "few_errors",
    ]
    few = (rates["probe_group"] == EIGHT[6]) & (rates["reference_group"] == EIGHT[6])
    rates.loc[few, ["subjects", "status"]] = [12, "few_subjects"]
    counts = run.counts.copy()
    counts.loc[counts["group"] == EIGHT[6], "subjects"] = 12
    return replace(run, rates=rates, counts=counts)
