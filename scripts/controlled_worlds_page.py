"""Worlds in which only one group's share of the training images differs; see controlled_worlds.

Every number of the page comes from the CSV files that are written beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scripts.controlled_worlds_text import (
    DATA,
    GROUP,
    NULL_SEEDS,
    PEOPLE,
    ROOT,
    SHARES,
    write_page,
)

CACHE = Path(os.environ.get("FRBENCH_CACHE", "~/.cache/frbench")).expanduser()
NOTED = CACHE / "controlled-worlds-done.txt"
RECIPES = Path(os.environ.get("FRBENCH_RECIPES_RUN", str(ROOT / "runs" / "controlled-recipes")))

SEEDS = (1, 2, 3, 4, 5)
NULL = tuple(range(1, NULL_SEEDS + 1))
BENCHMARK = (
    *("benchmark.people_per_group=30", "benchmark.images_per_person=4", "benchmark.seed=99"),
    *("operating_point.target_fmr=[0.01]", "embedding.workers=0", "device=cpu"),
    *("budget.steps=20", "budget.batch=32"),
)
WORLDS = (
    *("training_set.people=360", "training_set.arrests.lighter=2.0"),
    *("training_set.arrests.darker=1", "training_set.arrests.younger=1"),
    *("training_set.released=0", "training_set.stream=worlds", "training_set.seed=11"),
    *("groups.by=[skin_tone]",),
)


@cache
def config() -> Any:
    """The settings of the verb itself, so that the page shows what the verb does."""
    from hydra import compose, initialize_config_dir

    from frbench.config import config_dir
    from frbench.workflows.retrain import check

    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        words = [*BENCHMARK, *WORLDS, f"cache={CACHE}", "output=none", "reference=none"]
        node = compose("retrain", [*words, "recipes=[as_retained]"])
    found = check(node)
    return replace(found, evaluation=replace(found.evaluation, measures={}))


@cache
def stages() -> Any:
    """Stages that say nothing."""
    from rich.console import Console

    from frbench.progress import Stages

    return Stages(Console(quiet=True))


@cache
def grounds() -> tuple[Any, Any]:
    """The benchmark set and the pool of training faces."""
    from frbench.groups import assign_groups
    from frbench.workflows.retrain import _pools

    faces = assign_groups(config().evaluation.benchmark.load(), config().evaluation.groups)
    return faces, _pools(config(), faces, stages())["training_set"]


def jobs() -> list[tuple[float, int]]:
    """Every training: the worlds, and the one without bias with more seeds."""
    worlds = [(share, seed) for seed in SEEDS for share in SHARES]
    return worlds + [(0.50, seed) for seed in NULL if seed not in SEEDS]


def trained(share: float, seed: int) -> Any:
    """One world's network: so many of the group's people, the others from the other group."""
    from frbench.training import TrainingImages, fine_tune

    pool = grounds()[1]
    rng = np.random.default_rng([seed, round(share * 1000)])
    who, home = pool.candidates.persons()
    group = pool.candidates.groups.index(GROUP)
    few = round(PEOPLE * share)
    chosen = np.concatenate(
        [
            rng.choice(who[home == group], few, replace=False),
            rng.choice(who[home != group], PEOPLE - few, replace=False),
        ]
    )
    rows = np.flatnonzero(np.isin(pool.candidates.person, chosen))
    person = pool.candidates.person[rows]
    images = TrainingImages(pool.faces, pool.vectors, rows, person, np.ones(len(rows)), pool.digest)
    return fine_tune(
        config().base.matcher,
        images,
        config().budget,
        seed=seed,
        folder=CACHE / "retrained",
        device="cpu",
    )


def measured(share: float, seed: int) -> Any:
    """The network of one world, measured as the verb measures; kept work is taken over."""
    from frbench.settings import Arm
    from frbench.workflows.evaluate import measure

    network = trained(share, seed)
    base = config().base
    arm = Arm(f"{share} {seed}", base.matcher.retrained(network.path), base.detector)
    return measure(grounds()[0], arm, config().evaluation, stages()), network


def _job(share: float, seed: int) -> float:
    import torch

    torch.set_num_threads(1)
    start = time.monotonic()
    measured(share, seed)
    return time.monotonic() - start


def finished() -> set[str]:
    """Jobs that are trained and measured."""
    return set(NOTED.read_text().split("\n")) if NOTED.is_file() else set()


def train(minutes: float) -> None:
    """Train what is not trained yet, two at a time, until the time is up."""
    done = finished()
    left = [job for job in jobs() if str(job) not in done]
    until = time.monotonic() + 60 * minutes
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        while left and time.monotonic() < until:
            now, left = left[:2], left[2:]
            running = {workers.submit(_job, *job): job for job in now}
            for each in as_completed(running):
                print(f"{running[each]}: {each.result():.0f} s", flush=True)
                done.add(str(running[each]))
                NOTED.write_text("\n".join(sorted(done)))
    print(f"{len(left)} left", flush=True)


def recipes(further: list[str]) -> None:
    """The seven recipes on rendered custody images, as a user would run them."""
    words = [
        *BENCHMARK,
        *("fresh_set.people=200", "groups.by=[skin_tone,age_band]", "seeds=[1,2,3]"),
        *(f"cache={CACHE}", f"output={RECIPES}", *further),
    ]
    subprocess.run([sys.executable, "-m", "frbench", "retrain", *words], cwd=ROOT, check=True)


def taken_recipes() -> dict[str, pd.DataFrame]:
    """The tables of the recipes' run, where it was made."""
    if not (RECIPES / "recipes.csv").is_file():
        return {}
    kept = pd.read_csv(RECIPES / "changes.csv")
    return {
        "recipes": pd.read_csv(RECIPES / "recipes.csv"),
        "recipe_changes": kept[kept["kind"].isin(["FMR", "FNMR", "FMR gap"])],
        "recipe_shares": pd.read_csv(RECIPES / "shares.csv"),
        "recipe_variance": pd.read_csv(RECIPES / "variance.csv"),
        "recipe_association": pd.read_csv(RECIPES / "associations.csv"),
    }


def write_tables(tables: dict[str, pd.DataFrame]) -> None:
    """Each as a file, then the page from the files."""
    DATA.mkdir(parents=True, exist_ok=True)
    for name, each in tables.items():
        each.to_csv(DATA / f"{name}.csv", index=False)
    write_page()


def page() -> None:
    """Measure every network and write tables, plot and page."""
    import torch

    from frbench.retraining.effects import Run, changes, quantities
    from frbench.retraining.findings import Limits, recipe_table, retraining_findings
    from frbench.retraining.linking import link_tables
    from frbench.runtime import generator, machine
    from frbench.workflows.evaluate import measure

    torch.set_num_threads(1)
    faces, settings = grounds()[0], config().evaluation
    before = measure(faces, config().base, settings, stages())
    runs, shares, networks = [], [], []
    done = finished()
    whole = [seed for seed in SEEDS if all(str((share, seed)) in done for share in SHARES)]
    for share, seed in (job for job in jobs() if str(job) in done):
        result, network = measured(share, seed)
        runs.append(Run(f"{share:.0%}", seed, result))
        for group in pool_groups():
            part = share if group == GROUP else 1 - share
            shares.append(
                {"recipe": f"{share:.0%}", "seed": seed, "group": group, "training_share": part}
            )
        networks.append(
            {
                "share": share,
                "seed": seed,
                "sha256": network.sha256,
                "steps": network.steps,
                "images_seen": network.images_seen,
                "persons": network.persons,
                "seconds": network.seconds,
            }
        )
    worlds = [run for run in runs if run.seed in whole]
    found = quantities(before, worlds, rng=generator(settings.seed, "changes"))
    table = changes(found, worlds)
    sizes = {run.recipe: {"persons": PEOPLE, "images": 0, "images_seen": 0} for run in worlds}
    _, links = link_tables(found, worlds, pd.DataFrame(shares))
    told = retraining_findings(table, recipe_table(table, sizes), links, Limits())
    flagged = {each.keys.get("recipe") for each in told if each.level == "flag"}
    rows = table[(table["kind"] == "FMR to others") & (table["group"] == GROUP)]
    rows = rows[rows["against"] == "before retraining"].assign(
        flagged=lambda each: each["recipe"].isin(flagged)
    )
    ratio = next(q for q in found if q.kind == "FMR to others" and q.group == GROUP)
    points = pd.DataFrame(
        [
            {
                "share": float(run.recipe.rstrip("%")) / 100,
                "seed": run.seed,
                "fmr_ratio": float(np.exp(ratio.value[at + 1])),
            }
            for at, run in enumerate(worlds)
        ]
    )
    null = [run for run in runs if run.recipe == "50%"]
    tables = {
        "worlds": rows,
        "points": points,
        "changes": table,
        "association": links,
        "networks": pd.DataFrame(networks),
        "no_bias": no_bias(before, null),
        "findings": pd.DataFrame([{"level": f.level, "statement": f.statement} for f in told]),
        "machine": pd.DataFrame([machine()]),
    }
    write_tables(tables | taken_recipes())


def pool_groups() -> tuple[str, ...]:
    """Groups of the training faces."""
    groups: tuple[str, ...] = grounds()[1].candidates.groups
    return groups


def no_bias(before: Any, null: list[Any]) -> pd.DataFrame:
    """Decisions on retrainings at equal shares: one by one, and by experiments of five seeds."""
    from frbench.judging import Evidence
    from frbench.paired import paired_change
    from frbench.retraining.effects import Run, changes, quantities
    from frbench.retraining.findings import Limits, recipe_table, retraining_findings
    from frbench.rules.retraining_widens_gap import RetrainingWidensGap
    from frbench.runtime import generator

    rows = []
    for run in null:
        arms = (before.tally, before.thresholds), (run.result.tally, run.result.thresholds)
        change = paired_change(*arms, rng=generator(run.seed, "change"))
        rates = pd.concat([before.rates.assign(arm="before"), run.result.rates.assign(arm="after")])
        evidence = Evidence(
            rates=rates,
            gaps=run.result.gaps,
            thresholds={"before": before.thresholds, "after": run.result.thresholds},
            change=change,
            faces=grounds()[0],
            training={},
        )
        found = RetrainingWidensGap().findings(evidence)
        flags = sum(each.level == "flag" for each in found)
        rows.append(
            {"way": "frbench evaluate, one retraining", "unit": f"seed {run.seed}", "flags": flags}
        )
    for start in range(0, len(null), 5):
        part = [Run("50%", run.seed, run.result) for run in null[start : start + 5]]
        table = changes(quantities(before, part, rng=generator(start, "changes")), part)
        sizes = {"50%": {"persons": PEOPLE, "images": 0, "images_seen": 0}}
        none = pd.DataFrame(columns=["status"])
        found = retraining_findings(table, recipe_table(table, sizes), none, Limits())
        flags = sum(each.level == "flag" for each in found)
        rows.append(
            {
                "way": f"frbench retrain, {len(part)} seeds together",
                "unit": ", ".join(str(run.seed) for run in part),
                "flags": flags,
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "recipes", "page", "text"))
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("further", nargs="*", help="recipes: settings of frbench retrain")
    chosen = parser.parse_args()
    if chosen.what == "train":
        train(chosen.minutes)
    elif chosen.what == "recipes":
        recipes(chosen.further)
    elif chosen.what == "text":
        write_tables(taken_recipes())
    else:
        page()


if __name__ == "__main__":
    main()
