"""Simulate the feedback loop: does bias feed itself over rounds, and which policy stops it?

``run`` is the whole flow; each policy lives through the same rounds from the same start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from frbench.config import Builder, resolved
from frbench.errors import InputError
from frbench.feedback.loop import History, Matcher, simulate
from frbench.feedback.page import BANNER, simulation_page
from frbench.feedback.starting import Rates, start_of
from frbench.feedback.summary import course, growth_table, ranking, rounds_table
from frbench.feedback.world import World, per_group_table, world_of
from frbench.formatting import decimal, label_text, percent, scientific
from frbench.jobs import Outcome, run_job
from frbench.progress import Stages
from frbench.runtime import generator
from frbench.simulation_rules import SimulationEvidence, judge_simulation, shown
from frbench.values import Float64s

KEYS = {
    *("reference", "learner", "collector", "policies", "simulation_rules", "rounds", "every"),
    *("seeds", "seed", "write_seeds", "current", "level", "start", "world", "population"),
    *("label", "output", "gate"),
}


@dataclass(frozen=True)
class SimulateConfig:
    """What ``frbench simulate`` works from; parts are built, nothing is read."""

    reference: Any
    learner: Any
    collector: Any
    policies: dict[str, Any]
    rules: dict[str, Any]
    rounds: int
    every: int
    seeds: int
    seed: int
    write_seeds: int
    current: str
    level: float
    start: dict[str, Any]
    world: dict[str, Any]
    population: dict[str, float] | None
    label: str
    gate: str
    resolved: dict[str, Any]


def main(cfg: DictConfig) -> int:
    """One job of the command line; gives the exit status."""
    return run_job(cfg, "simulate", lambda each, stages: run(check(each), stages))


def run(config: SimulateConfig, stages: Stages) -> Outcome:
    """The flow, in one direction."""
    rates = start_of(config.start)
    config = with_table(config)
    population, residents = residents_of(config, rates.groups)
    world = world_of(config.world, rates.groups, population)
    matcher = Matcher(rates.fmr, _first_shares(config.start["shares"], world))
    histories = [_lived(config, name, world, matcher, stages) for name in config.policies]
    with stages("tables"):
        tables = {
            "ranking": ranking(histories, world, current=config.current, level=config.level),
            "growth": growth_table(histories, world, level=config.level),
            "course": course(histories, world, level=config.level),
            "rounds": rounds_table(histories, world.groups, config.write_seeds),
        }
    stated = _stated(config, rates)
    evidence = SimulationEvidence(
        tables["growth"], tables["ranking"], config.current, stated, config.rounds
    )
    findings = judge_simulation(evidence, config.rules)
    facts = _facts(config, rates, residents)
    return Outcome(
        tables=tables,
        findings=findings,
        page=lambda record: simulation_page(
            world, config.current, tables, facts, rates.cautions, findings, record
        ),
        config=config.resolved,
        inputs={
            "start": {
                "source": rates.source,
                "sha256": rates.sha256,
                "groups": list(rates.groups),
                "fmr": rates.fmr.tolist(),
                "cautions": list(rates.cautions),
            },
            "residents": {"source": residents, "shares": world.population.tolist()},
            "stated": list(stated),
        },
        summary=_summary(tables["ranking"]),
        gate=config.gate,
        seed=config.seed,
    )


def _lived(
    config: SimulateConfig, name: str, world: World, matcher: Matcher, stages: Stages
) -> History:
    with stages(f"policy {name}") as progress:
        return simulate(
            world,
            matcher,
            config.policies[name],
            config.learner,
            config.collector,
            name=name,
            rounds=config.rounds,
            seeds=config.seeds,
            # the same chance for every policy, as far as the policy leaves it the same
            rng=generator(config.seed, "simulate"),
            every=config.every,
            progress=progress,
        )


def with_table(config: SimulateConfig) -> SimulateConfig:
    """The configuration with what ``world.table`` says. Raises InputError for the file."""
    path = config.world["table"]
    if path is None:
        return config
    table = per_group_table(Path(str(path)).expanduser())
    arrests = {"arrests_per_1000": table["arrests_per_1000"].to_dict()}
    population = {str(name): float(share) for name, share in table["population"].items()}
    return replace(config, world={**config.world, **arrests}, population=population)


def residents_of(config: SimulateConfig, groups: tuple[str, ...]) -> tuple[Float64s, str]:
    """float64 [G] shares of the residents, of the named groups alone, and their source.

    Raises:
        InputError: the reference does not know the label, or a group has no share.
    """
    if config.population is not None:
        shares, source = config.population, "stated"
        found = [float(shares.get(name, 0.0)) for name in groups]
    else:
        told = config.reference.expected(config.label, groups) if config.reference else None
        if told is None:
            raise InputError(
                f"the reference says nothing of label={config.label}; state the residents' shares "
                f"with population={{{', '.join(f'{name}: …' for name in groups)}}}."
            )
        found = [told.shares[told.category[name]] for name in groups]
        source = told.source
    shares_found = np.array(found)
    if not (np.isfinite(shares_found).all() and (shares_found > 0).all()):
        raise InputError(
            "population must name a share above 0 for each of the groups "
            f"{', '.join(map(label_text, groups))}."
        )
    return shares_found / shares_found.sum(), source


def check(cfg: DictConfig) -> SimulateConfig:
    """Binds and builds every part of a composed configuration; reads no data.

    Raises:
        InputError: with every problem of the configuration at once.
    """
    plain = resolved(cfg)
    builder = Builder()
    strange = [f"{key} is no setting of frbench simulate" for key in sorted({*plain} - KEYS)]
    builder.problems += strange
    reference = builder.part(plain["reference"] or {}, "reference")
    learner = builder.part(plain["learner"], "learner")
    collector = builder.part(plain["collector"], "collector")
    policies = builder.parts(plain["policies"], "policies")
    rules = builder.parts(plain["simulation_rules"], "simulation_rules")
    gate = builder.choice(plain["gate"], ("none", "note", "watch", "flag"), "gate")
    current = str(plain["current"])
    if policies and current not in policies:
        builder.problems.append(
            f"current={current} is no policy of the run; there are {', '.join(policies)}"
        )
    numbers = {
        name: _whole(plain[name], least, name, builder)
        for name, least in {
            "rounds": 2,
            "every": 1,
            "seeds": 2,
            "seed": 0,
            "write_seeds": 1,
        }.items()
    }
    level = plain["level"]
    if not isinstance(level, int | float) or not 0 < level < 1:
        builder.problems.append(f"level={level} must lie between 0 and 1, as 0.95 does")
    builder.done()
    return SimulateConfig(
        reference=reference,
        learner=learner,
        collector=collector,
        policies=policies,
        rules=rules,
        current=current,
        level=float(level),
        start=plain["start"],
        world=plain["world"],
        population=plain["population"],
        label=str(plain["label"]),
        gate=gate,
        resolved=plain,
        **numbers,
    )


def _whole(value: Any, least: int, name: str, builder: Builder) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        builder.problems.append(f"{name}={value} must be a whole number of at least {least}")
        return least
    return value


def _first_shares(given: Mapping[str, float] | None, world: World) -> Float64s:
    if given is None:
        return world.population
    shares = np.array([float(given.get(name, 0.0)) for name in world.groups])
    if not (np.isfinite(shares).all() and (shares > 0).all()):
        raise InputError("start.shares must name a share above 0 for each group.")
    return np.asarray(shares / shares.sum())


def _stated(config: SimulateConfig, rates: Rates) -> tuple[str, ...]:
    stated = ["arrests, disposals, footfall and the reaction to alerts"]
    if not rates.measured:
        stated.insert(0, "the false-match rates of the start")
    if config.learner.stated:
        stated.append(config.learner.stated)
    return tuple(stated)


def _facts(config: SimulateConfig, rates: Rates, residents: str) -> list[tuple[str, str]]:
    within = ", ".join(
        f"{label_text(name)} {scientific(float(rate))}"
        for name, rate in zip(rates.groups, np.diag(rates.fmr), strict=True)
    )
    return [
        ("False-match rates at the start", f"{rates.source}: {within}"),
        ("Residents", residents),
        ("Learner", config.learner.said()),
        ("Rounds and seeds", f"{config.rounds:,} rounds, {config.seeds:,} seeds"),
        ("Going on as now", shown(config.current)),
    ]


def _summary(table: Any) -> list[Any]:
    lines = Table(
        title=Text("Policies by disparity of false-alert rates at the end"),
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    lines.add_column("policy")
    for name in ("disparity", "seeds between", "beside now", "true alerts"):
        lines.add_column(name, justify="right", no_wrap=True)
    most = max(float(table["true_alerts"].max()), 1.0)
    for row in table.to_dict("records"):
        lines.add_row(
            Text(shown(str(row["policy"]))),
            f"×{decimal(row['disparity_end'])}",
            f"{decimal(row['low'])}–{decimal(row['high'])}",
            f"×{decimal(row['against_as_is'])}",
            percent(row["true_alerts"] / most),
        )
    return [Text(BANNER, style="bold yellow"), lines]
