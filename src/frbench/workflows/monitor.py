"""Watch a system over time: has anything changed for any group since it was approved?

``run`` is the whole flow, for runs of evaluate or for a live series of counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from frbench.config import Builder, resolved
from frbench.formatting import decimal, integer, label_text
from frbench.jobs import Outcome, run_job
from frbench.judging import LEVELS
from frbench.monitor_rules import MonitorEvidence, judge_monitor
from frbench.monitoring.changes import paired_with, run_table, unpaired_change
from frbench.monitoring.drift import people_drift, score_drift, seen_drift
from frbench.monitoring.page import monitor_page
from frbench.monitoring.series import needed_for_doubling, read_series, watch
from frbench.monitoring.stored import StoredRun, find_runs, load_run, require_comparable
from frbench.progress import Stages
from frbench.rules import Evidence
from frbench.runtime import generator
from frbench.values import FaceSet, Finding

KEYS = {
    *("monitor_rules", "runs", "series", "approved", "baseline_days", "limit", "level"),
    *("other_matcher", "no_worse", "seed", "output", "gate"),
}


@dataclass(frozen=True)
class MonitorConfig:
    """What ``frbench monitor`` works from; rules are built, nothing is read."""

    rules: dict[str, Any]
    no_worse: Any
    runs: tuple[str, ...]
    series: Path | None
    approved: Path | None
    baseline_days: int
    limit: float
    level: float
    other_matcher: bool
    seed: int
    gate: str
    resolved: dict[str, Any]


def main(cfg: DictConfig) -> int:
    """One job of the command line; gives the exit status."""
    return run_job(cfg, "monitor", lambda each, stages: run(check(each), stages))


def run(config: MonitorConfig, stages: Stages) -> Outcome:
    """The flow: one of two."""
    return _over_days(config, stages) if config.series else _over_runs(config, stages)


def _over_days(config: MonitorConfig, stages: Stages) -> Outcome:
    assert config.series is not None
    with stages("reading the series"):
        series = read_series(config.series)
    with stages("looking for changes"):
        watched = watch(
            series, baseline=config.baseline_days, limit=config.limit, level=config.level
        )
        people = seen_drift(series, config.baseline_days)
        needed = needed_for_doubling(watched, config.limit)
    days = len(series.days) - config.baseline_days
    evidence = MonitorEvidence(
        watched=watched,
        needed=needed,
        days=days,
        people=people,
        limit=config.limit,
        level=config.level,
    )
    facts = [
        ("Series", f"{label_text(series.path.name)}: {' of '.join(series.names)}"),
        ("Baseline", f"{series.days[0]} to {series.days[config.baseline_days - 1]}"),
        ("Watched", f"{integer(days)} days, to {series.days[-1]}"),
        ("Chance of any false alarm", f"at most {decimal(1 - config.level)}"),
    ]
    inputs = {
        "series": {
            "sha256": series.sha256,
            "groups": list(series.groups),
            "days": len(series.days),
            "first": series.days[0],
            "last": series.days[-1],
        }
    }
    return _outcome(
        config,
        {"watched": watched, "people": people},
        judge_monitor(evidence, config.rules),
        f"{len(series.groups)} groups · {len(series.days):,} days",
        facts,
        inputs,
    )


def _over_runs(config: MonitorConfig, stages: Stages) -> Outcome:
    with stages("reading the runs"):
        runs = ordered(config)
        require_comparable(runs, other_matcher=config.other_matcher)
    first, last = runs[0], runs[-1]
    with stages("comparing with the approved run") as progress:
        changes: dict[str, pd.DataFrame] = {}
        for number, each in enumerate(runs[1:], 1):
            change = paired_with(first, each, generator(config.seed, "monitor"))
            changes |= {each.name: change} if len(change) else {}
            progress(number, len(runs) - 1)
        timeline = run_table(runs, changes, limit=config.limit, level=config.level)
    with stages("drift"):
        scores, people = score_drift(runs), people_drift(runs)
    evidence = MonitorEvidence(
        runs=timeline, scores=scores, people=people, limit=config.limit, level=config.level
    )
    findings = judge_monitor(evidence, config.rules)
    findings += _release(config, first, last, timeline, changes)
    findings.sort(key=lambda each: LEVELS.index(each.level))
    facts = [
        ("Approved run", f"{label_text(first.name)} ({first.when[:10]})"),
        ("Last run", f"{label_text(last.name)} ({last.when[:10]})"),
        ("Matcher", label_text(str(last.matcher["name"]))),
        ("Chance of any false alarm", f"at most {decimal(1 - config.level)}"),
    ]
    inputs = {
        "runs": [
            {
                "name": each.name,
                "when": each.when,
                "matcher": each.matcher["fingerprint"],
                "rates_sha256": (each.record.get("artefacts") or {}).get("rates.parquet"),
            }
            for each in runs
        ]
    }
    return _outcome(
        config,
        {"timeline": timeline, "scores": scores, "people": people},
        findings,
        f"{len(runs)} runs · {first.when[:10]} to {last.when[:10]}",
        facts,
        inputs,
        cautions=_cautions(runs),
        synthetic=any(each.record["benchmark"].get("synthetic") for each in runs),
    )


def ordered(config: MonitorConfig) -> list[StoredRun]:
    """The approved run first, then the others in order of time. Raises InputError."""
    if config.approved is None:
        return find_runs(config.runs)
    approved = load_run(config.approved.resolve())
    runs = find_runs([*config.runs, str(config.approved)])
    return [approved, *(each for each in runs if each.folder != approved.folder)]


def _release(
    config: MonitorConfig,
    first: StoredRun,
    last: StoredRun,
    timeline: pd.DataFrame,
    changes: Mapping[str, pd.DataFrame],
) -> list[Finding]:
    """The gate of the last run; its sentences say where runs are taken as independent."""
    if config.no_worse is None:
        return []
    paired = last.name in changes
    arms = [(first.name, first), (last.name, last)]
    evidence = Evidence(
        rates=pd.concat([each.rates.assign(arm=name) for name, each in arms]),
        gaps=pd.concat([each.gaps.assign(arm=name) for name, each in arms]),
        thresholds={name: each.thresholds for name, each in arms},
        faces=FaceSet("", "", last.folder, pd.DataFrame({"group": []})),
        change=changes[last.name] if paired else unpaired_change(timeline, last.name),
    )
    found: list[Finding] = config.no_worse.findings(evidence)
    if paired:
        return found
    return [
        replace(each, statement=each.statement.replace(", paired", ", runs apart"))
        for each in found
    ]


def _cautions(runs: list[StoredRun]) -> list[str]:
    values = {tuple(one.value for one in each.thresholds) for each in runs}
    if len(values) > 1:
        return [
            "The threshold was chosen anew in every run: the rate of all together stays at its "
            "target by construction, and only differences between groups and misses can move."
        ]
    return []


def _outcome(
    config: MonitorConfig,
    tables: dict[str, pd.DataFrame],
    findings: list[Finding],
    lead: str,
    facts: list[tuple[str, str]],
    inputs: Mapping[str, Any],
    cautions: list[str] | None = None,
    synthetic: bool = False,
) -> Outcome:
    return Outcome(
        tables=tables,
        findings=findings,
        page=lambda record: monitor_page(
            tables, lead, facts, cautions or [], findings, record, synthetic=synthetic
        ),
        config=config.resolved,
        inputs=inputs,
        summary=_summary(tables, lead),
        gate=config.gate,
        seed=config.seed,
    )


def _summary(tables: Mapping[str, pd.DataFrame], lead: str) -> list[Any]:
    shown: list[Any] = [Text(lead)]
    if "watched" not in tables:
        return shown
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("measure", "group", "baseline", "last 7 days", "first alarm"):
        table.add_column(name)
    for (measure, group), rows in tables["watched"].groupby(["measure", "group"], sort=False):
        alarms = rows.loc[rows["alarm"], "when"]
        table.add_row(
            str(measure),
            Text(label_text(group)),
            decimal(float(rows["baseline"].iloc[0])),
            decimal(float(np.nanmean(rows["value"].tail(7))))
            if rows["value"].tail(7).notna().any()
            else "–",
            str(alarms.iloc[0]) if len(alarms) else "none",
        )
    return [*shown, table]


def check(cfg: DictConfig) -> MonitorConfig:
    """Binds and builds every part of a composed configuration; reads no data.

    Raises:
        InputError: with every problem of the configuration at once.
    """
    plain = resolved(cfg)
    builder = Builder()
    builder.problems += [
        f"{key} is no setting of frbench monitor" for key in sorted({*plain} - KEYS)
    ]
    rules = builder.parts(plain["monitor_rules"], "monitor_rules")
    no_worse = builder.part(plain["no_worse"] or {}, "no_worse")
    gate = builder.choice(plain["gate"], ("none", "note", "watch", "flag"), "gate")
    runs, series = plain["runs"], plain["series"]
    if (runs is None) == (series is None):
        builder.problems.append("give either runs=[DIR,…] or series=FILE.csv")
    level, limit, days = plain["level"], plain["limit"], plain["baseline_days"]
    if not isinstance(level, int | float) or not 0 < level < 1:
        builder.problems.append(f"level={level} must lie between 0 and 1, as 0.95 does")
    if not isinstance(limit, int | float) or not limit >= 1:
        builder.problems.append(f"limit={limit} must be a number of at least 1")
    if isinstance(days, bool) or not isinstance(days, int):
        builder.problems.append(f"baseline_days={days} must be a whole number")
    builder.done()
    return MonitorConfig(
        rules=rules,
        no_worse=no_worse,
        runs=() if runs is None else tuple([runs] if isinstance(runs, str) else map(str, runs)),
        series=None if series is None else Path(str(series)).expanduser(),
        approved=None if plain["approved"] is None else Path(str(plain["approved"])).expanduser(),
        baseline_days=int(days),
        limit=float(limit),
        level=float(level),
        other_matcher=bool(plain["other_matcher"]),
        seed=int(plain["seed"]),
        gate=gate,
        resolved=plain,
    )
