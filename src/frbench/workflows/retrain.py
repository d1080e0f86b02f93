"""Retrain a matcher on several choices of images and measure what each does to every group.

``run`` is the whole flow: a controlled experiment in which only the images and the seed differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from frbench.calibration import split_persons
from frbench.config import Builder, resolved
from frbench.errors import InputError
from frbench.formatting import decimal, integer, percent
from frbench.groups import assign_groups
from frbench.jobs import Outcome, run_job
from frbench.mixes import Mixed
from frbench.page.tables import records
from frbench.progress import Stages
from frbench.results import ArmResult
from frbench.retraining.effects import Run, changes, quantities
from frbench.retraining.findings import Limits, recipe_table, retraining_findings
from frbench.retraining.linking import link_tables
from frbench.retraining.page import BANNER, facts_of, retraining_page
from frbench.retraining.pool import Pool, pool
from frbench.retraining.variance import variance_table
from frbench.runtime import generator
from frbench.settings import KEYS as EVALUATE_KEYS
from frbench.settings import Arm, EvaluateConfig
from frbench.settings import check as check_evaluation
from frbench.training import Budget, Trained, TrainingImages, fine_tune
from frbench.values import FaceSet
from frbench.workflows.evaluate import measure

OWN = ("training_set", "fresh_set", "reference", "mix", "recipes", "seeds", "budget", "limits")
SHARED = (
    *("benchmark", "groups", "matcher", "detector", "comparison", "operating_point", "interval"),
    *("measures", "device", "seed", "output", "cache", "gate", "embedding"),
)


@dataclass(frozen=True)
class RetrainConfig:
    """What ``frbench retrain`` works from; parts are built, nothing is read."""

    evaluation: EvaluateConfig
    training_set: Any
    fresh_set: Any
    reference: Any
    recipes: Mapping[str, Any]
    seeds: tuple[int, ...]
    budget: Budget
    limits: Limits
    resolved: dict[str, Any]

    @property
    def base(self) -> Arm:
        """The matcher before retraining."""
        return self.evaluation.arms[0]


def main(cfg: DictConfig) -> int:
    """One job of the command line; gives the exit status."""
    return run_job(cfg, "retrain", lambda each, stages: run(check(each), stages))


def run(config: RetrainConfig, stages: Stages) -> Outcome:
    """The flow, in one direction."""
    settings = config.evaluation
    with stages("reading the benchmark set") as progress:
        grouped = assign_groups(settings.benchmark.load(progress=progress), settings.groups)
    faces, calibration = split_persons(
        grouped, settings.operating_point.calibration_share, generator(settings.seed, "calibration")
    )
    pools = _pools(config, faces, stages)
    before = measure(faces, replace(config.base, name="before"), settings, stages, calibration)
    runs, trained, drawn = [], [], []
    for recipe, mix in config.recipes.items():
        for seed in config.seeds:
            held = pools[mix.source]
            mixed = mix.choose(held.candidates, rng=generator(seed, f"recipe {recipe}"))
            network = _trained(config, held, mixed, seed, f"{recipe}, seed {seed}", stages)
            arm = _arm(config, network, f"{recipe} seed {seed}")
            runs.append(Run(recipe, seed, measure(faces, arm, settings, stages, calibration)))
            trained.append({"recipe": recipe, "seed": seed, **_network_row(network)})
            drawn.append(_shares(recipe, seed, held, mixed))
    with stages("changes and intervals"):
        tables = _tables(config, before, runs, pd.DataFrame(trained), pd.concat(drawn))
    findings = retraining_findings(
        tables["changes"], tables["recipes"], tables["associations"], config.limits
    )
    synthetic = faces.synthetic or any(each.training.synthetic for each in pools.values())
    facts = facts_of(config.base.matcher.name, faces.name, pools, config.budget, config.seeds)
    lead = f"{config.base.matcher.name} · {len(config.recipes)} options · {faces.name}"
    return Outcome(
        tables=tables,
        findings=findings,
        page=lambda record: retraining_page(
            tables, findings, record, lead=lead, facts=facts, synthetic=synthetic
        ),
        config=config.resolved,
        inputs=_inputs(pools, before),
        summary=_summary(tables["recipes"], synthetic),
        gate=settings.gate,
        seed=settings.seed,
        device=settings.device,
    )


def check(cfg: DictConfig) -> RetrainConfig:
    """Binds and builds every part of a composed configuration; reads no data.

    Raises:
        InputError: with every problem of the configuration at once.
    """
    plain = resolved(cfg)
    unknown = sorted({*plain} - {*OWN, *SHARED})
    shared = {key: plain[key] for key in SHARED if key in plain}
    evaluation = check_evaluation(
        OmegaConf.create({**dict.fromkeys(EVALUATE_KEYS), **shared, "rules": {}})
    )
    builder = Builder(cache=evaluation.cache, device=evaluation.device)
    builder.problems += [f"{key} is no setting of frbench retrain" for key in unknown]
    training = builder.part(plain.get("training_set") or {}, "training_set")
    fresh = builder.part(plain.get("fresh_set") or {}, "fresh_set")
    reference = builder.part(plain.get("reference") or {}, "reference")
    mixes = builder.parts(plain.get("mix"), "mix")
    wanted = plain["recipes"] if plain.get("recipes") is not None else list(mixes)
    absent = [str(name) for name in wanted if name not in mixes]
    builder.problems += [f"recipes: {name} is none of {', '.join(mixes)}" for name in absent]
    recipes = {str(name): mixes[name] for name in wanted if name in mixes}
    if fresh is None:
        builder.problems += [
            f"mix.{name} takes its people from fresh_set; name one, as training_set@fresh_set="
            "manifest, or leave it out with recipes=[…]"
            for name, mix in recipes.items()
            if mix.source == "fresh_set"
        ]
    if not recipes and not absent:
        builder.problems.append("recipes: name at least one")
    if training is None and not builder.problems:
        builder.problems.append("training_set: name one, e.g. training_set=manifest")
    seeds = plain.get("seeds")
    if not isinstance(seeds, list) or not seeds or not all(_whole(each) for each in seeds):
        builder.problems.append(f"seeds={seeds} must be whole numbers, e.g. [1,2,3]")
    elif len(set(seeds)) < len(seeds):
        builder.problems.append(f"seeds={seeds} names one more than once")
    budget = builder.settings(Budget, plain.get("budget") or {}, "budget")
    limits = builder.settings(Limits, plain.get("limits") or {}, "limits")
    builder.done()
    assert budget is not None
    assert limits is not None
    assert isinstance(seeds, list)
    return RetrainConfig(
        evaluation, training, fresh, reference, recipes, tuple(seeds), budget, limits, plain
    )


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _pools(config: RetrainConfig, faces: FaceSet, stages: Stages) -> dict[str, Pool]:
    """The faces of every manifest that some recipe takes its people from."""
    by = tuple(str(faces.about["grouped_by"]).split(", "))
    base = config.base.matcher
    if not hasattr(base, "trainable"):
        raise InputError(
            f"matcher {base.name} cannot be retrained, since frbench has not its network; take "
            "matcher=tiny, matcher=facenet_casia or matcher=torchvision"
        )
    found = {}
    for name in dict.fromkeys(mix.source for mix in config.recipes.values()):
        part = getattr(config, name)
        with stages(f"reading {name}"):
            training = part.load(as_of=datetime.now(UTC).date())
            _check_labels(training, by, name)
        with stages(f"finding the faces of {name}") as progress:
            found[name] = pool(
                training,
                part.root,
                base,
                config.base.detector,
                by=by,
                population=config.reference,
                choice=config.evaluation.embedding.choice,
                device=config.evaluation.device,
                progress=progress,
            )
    return found


def _check_labels(training: Any, by: tuple[str, ...], name: str) -> None:
    absent = [label for label in by if label not in training.labels]
    if absent:
        raise InputError(
            f"{name}: {training.name} has no label {', '.join(absent)}, by which the benchmark is "
            f"grouped; its labels are {', '.join(training.labels) or 'none'}; choose with "
            "groups.by=[…]"
        )


def _trained(
    config: RetrainConfig, held: Pool, mixed: Mixed, seed: int, said: str, stages: Stages
) -> Trained:
    images = TrainingImages(
        held.faces,
        held.vectors,
        mixed.rows,
        held.candidates.person[mixed.rows],
        mixed.weights,
        held.digest,
    )
    with stages(f"training ({said})") as progress:
        return fine_tune(
            config.base.matcher,
            images,
            config.budget,
            seed=seed,
            folder=config.evaluation.cache / "retrained",
            device=config.evaluation.device,
            progress=progress,
        )


def _arm(config: RetrainConfig, network: Trained, name: str) -> Arm:
    return Arm(name, config.base.matcher.retrained(network.path), config.base.detector)


def _network_row(network: Trained) -> dict[str, Any]:
    return {
        "sha256": network.sha256,
        "persons": network.persons,
        "steps": network.steps,
        "images_seen": network.images_seen,
        "loss": network.loss,
        "seconds": network.seconds,
        "resumed_from": network.resumed_from,
    }


def _shares(recipe: str, seed: int, held: Pool, mixed: Mixed) -> pd.DataFrame:
    """Who is in one mix: a row per group, the share of the draws by weight."""
    candidates = held.candidates
    size, group = len(candidates.groups), candidates.group[mixed.rows]
    first = np.unique(candidates.person[mixed.rows], return_index=True)[1]
    return pd.DataFrame(
        {
            "recipe": recipe,
            "seed": seed,
            "group": list(candidates.groups),
            "persons": np.bincount(group[first], minlength=size),
            "images": np.bincount(group, minlength=size),
            "training_share": np.bincount(group, mixed.weights, minlength=size)
            / mixed.weights.sum(),
        }
    )


def _tables(
    config: RetrainConfig,
    before: ArmResult,
    runs: list[Run],
    networks: pd.DataFrame,
    shares: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    level = config.limits.level
    found = quantities(before, runs, rng=generator(config.evaluation.seed, "changes"))
    table = changes(found, runs, level=level)
    points, associations = link_tables(found, runs, shares, level=level)
    totals = shares.groupby(["recipe", "seed"])[["persons", "images"]].sum()
    means = totals.groupby("recipe").mean().round().astype(int)
    spent = config.budget.steps * config.budget.batch
    sizes = {
        str(recipe): {**{str(k): int(v) for k, v in row.items()}, "images_seen": spent}
        for recipe, row in means.iterrows()
    }
    arms = [before, *(run.result for run in runs)]
    return {
        "recipes": recipe_table(table, sizes),
        "changes": table,
        "variance": variance_table(found, runs, level=level),
        "associations": associations,
        "points": points,
        "shares": shares.reset_index(drop=True),
        "networks": networks,
        "rates": pd.concat([arm.rates for arm in arms], ignore_index=True),
        "gaps": pd.concat([arm.gaps for arm in arms], ignore_index=True),
    }


def _inputs(pools: Mapping[str, Pool], before: ArmResult) -> dict[str, Any]:
    return {
        "matcher": before.matcher,
        "training": {
            name: {
                "name": each.training.name,
                "sha256": each.training.sha256,
                "faces_sha256": each.digest,
                "synthetic": each.training.synthetic,
                "images": len(each.training.table),
                "subjects": len(each.training.subjects),
                "without_a_face": each.failed,
                "faults": each.training.faults.to_dict("records"),
            }
            for name, each in pools.items()
        },
    }


def _summary(recipes: pd.DataFrame, synthetic: bool) -> list[Any]:
    shown: list[Any] = [Text(BANNER, style="bold yellow")] if synthetic else []
    for point, rows in recipes.groupby("operating_point", sort=False):
        title = Text(f"Disparity of FMR that each option leaves, at {point}")
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("option", overflow="fold")
        for name in ("persons", "disparity", "over before", "over the first", "FNMR"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in records(rows):
            table.add_row(
                Text(str(row["recipe"])),
                integer(row["persons"]),
                decimal(row["after"]),
                _times(row["ratio"], row["low"], row["high"]),
                _times(*(row[f"against_first{end}"] for end in ("", "_low", "_high"))),
                percent(row["fnmr"]) if row["fnmr"] == row["fnmr"] else "–",
            )
        shown.append(table)
    return shown


def _times(value: float, low: float, high: float) -> str:
    return f"×{decimal(value)} ({decimal(low)}–{decimal(high)})"
