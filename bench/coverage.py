"""Do 95 % intervals hold the population's value in 95 % of samples? ``scripts/bench coverage``.

Draws many samples from populations whose rates are known (``coverage_worlds``), asks frbench for
its intervals, and counts. Writes ``bench/results/coverage.json``; ``--page`` writes
``docs/methodology/coverage.md`` from it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench.coverage_page import write_page
from bench.coverage_worlds import POINT, World, paired_samples, sample, with_rates

from frbench.counted import Counted
from frbench.gaps import differentials, paired_change
from frbench.intervals.clopper_pearson import ClopperPearson
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.intervals.wilson import Wilson
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.judging import Evidence, judge
from frbench.measures.gini import Gini
from frbench.measures.log_spread import LogSpread
from frbench.measures.max_mean_ratio import MaxMeanRatio
from frbench.measures.max_min_difference import MaxMinDifference
from frbench.measures.max_min_ratio import MaxMinRatio
from frbench.measures.worst_to_geometric_mean import WorstToGeometricMean
from frbench.rates import error_rates
from frbench.rules.fnmr_gap import FnmrGap
from frbench.rules.gap_exceeds import GapExceeds
from frbench.values import FaceSet

RESULTS = Path(__file__).parent / "results" / "coverage.json"
LEAST = 10
"""Expected errors of a cell, of the least of the groups, for a row."""

Key = tuple[str, str, str, str, float]
"""world, cell, quantity, method, expected errors."""

Hits = dict[Key, np.ndarray]
"""Samples, intervals that held the truth, that lay below it, that lay above it."""

SIZES = (25, 50, 100, 200)
RATE_WORLDS = {
    f"FMR {fmr:g}, {effects} effects": World(
        (fmr,) * 4, SIZES, effects=effects, across=0.5, fnmr=fnmr, alike=alike
    )
    for fmr, fnmr in ((1e-2, 0.1), (1e-3, 0.05), (1e-4, 0.02))
    for effects, alike in (("none", 0.02), ("moderate", 0.1), ("strong", 0.3))
}
SHAPES = {
    "equal": (1.0, 1.0, 1.0, 1.0),
    "one doubled": (1.0, 1.0, 1.0, 2.0),
    "spread": (0.5, 0.8, 1.2, 2.5),
    "eightfold": (0.5, 1.0, 2.0, 4.0),
}
MEASURE_WORLDS = {
    f"FMR about {base:g}, {name}": World(
        tuple(base * each for each in shape), sizes, effects="moderate"
    )
    for base, sizes in ((2e-3, (50, 100, 200, 200)), (2e-4, (200, 200, 300, 400)))
    for name, shape in SHAPES.items()
}
CHANGES = {
    "no change, equal": ("equal", "equal"),
    "no change, unequal": ("spread", "spread"),
    "wider": ("one doubled", "spread"),
    "narrower": ("spread", "one doubled"),
}
MEASURES = {
    part.name: part
    for part in (
        MaxMinRatio(),
        MaxMeanRatio(),
        WorstToGeometricMean(),
        LogSpread(),
        Gini(corrected=True),
        MaxMinDifference(),
    )
}
NAMES = {"matcher": "none", "benchmark": "simulated"}


def note(hits: Hits, key: Key, low: float, high: float, truth: float) -> None:
    """One interval."""
    slack = 1e-9 * abs(truth) + 1e-15
    below, above = high < truth - slack, low > truth + slack
    hits[key] += np.array([1, not (below or above), below, above])


def empty() -> Hits:
    """No intervals yet."""
    return defaultdict(lambda: np.zeros(4, dtype=np.int64))


def rates(name: str, world: World, seeds: Iterable[int]) -> Hits:
    """FMR within, across and pooled, and FNMR, by the default and the naive methods."""
    hits = empty()
    for seed in seeds:
        rng = np.random.default_rng([1, seed])
        counted = Counted(sample(world, rng))
        kinds = {"FMR": counted.false_matches(0.5), "FNMR": counted.false_non_matches(0.5)}
        for part in (WilsonEffective(), WilsonEffective(student=False), Wilson(), ClopperPearson()):
            method = part.name.split(" ")[0]
            method += "" if getattr(part, "student", True) else " (source's)"
            for kind, errors in kinds.items():
                bounds = part.bounds(errors, rng=rng)
                for cell, (a, b) in enumerate(counted.cells.sides):
                    truth = world.rate(a, b) if kind == "FMR" else world.fnmr
                    mean = truth * mean_comparisons(world, a, b, kind)
                    if mean < LEAST or (kind == "FNMR" and a != b):
                        continue
                    sizes = sorted((world.persons[a], world.persons[b]))
                    cross = f"{sizes[0]} x {sizes[1]} persons"
                    where = f"{world.persons[a]} persons" if a == b else cross
                    key = (name, where, kind, method, mean)
                    note(hits, key, bounds.low[cell], bounds.high[cell], truth)
    return hits


def mean_comparisons(world: World, a: int, b: int, kind: str) -> float:
    """Expected comparisons of a cell."""
    least, most = world.images
    number = np.arange(least, most + 1)
    if kind == "FNMR":
        return float(world.persons[a] * np.mean(number * (number - 1) / 2))
    one, other = world.persons[a], world.persons[b]
    return float((one * (one - 1) / 2 if a == b else one * other) * number.mean() ** 2)


def measures(name: str, world: World, seeds: Iterable[int]) -> Hits:
    """Measures over groups, and each group's ratio to the others."""
    hits = empty()
    truth = np.array(world.fmr)
    fewest = min(rate * mean_comparisons(world, g, g, "FMR") for g, rate in enumerate(world.fmr))
    part = VertexBootstrap(replicates=400)
    for seed in seeds:
        rng = np.random.default_rng([2, seed])
        tally = sample(world, rng)
        table = error_rates(tally, POINT, WilsonEffective(), **NAMES, rng=rng)
        gaps = differentials(tally, POINT, table, MEASURES, part, rng=rng)
        gaps = gaps[gaps["kind"] == "FMR"]
        for row in gaps[gaps["measure"].isin(list(MEASURES))].itertuples():
            value = float(MEASURES[row.measure].of(truth))
            note(hits, (name, "4 groups", row.measure, "default", fewest), row.low, row.high, value)
        for row in gaps[gaps["measure"] == "ratio_to_others"].itertuples():
            group = int(row.worst_group[1:])
            value = truth[group] / np.delete(truth, group).mean()
            key = (name, f"{world.persons[group]} persons", row.measure, "default", fewest)
            note(hits, key, row.low, row.high, value)
    return hits


def change_worlds() -> dict[str, tuple[World, World]]:
    """Two matchers on the same persons."""
    return {
        f"{old} to {new}": (MEASURE_WORLDS[old], with_rates(MEASURE_WORLDS[old], new_rates))
        for start, end in CHANGES.values()
        for old in [f"FMR about 0.002, {start}"]
        for new, new_rates in [(end, MEASURE_WORLDS[f"FMR about 0.002, {end}"].fmr)]
    }


def changes(name: str, worlds: tuple[World, World], seeds: Iterable[int]) -> Hits:
    """The paired change of each group's rate and of the measures."""
    hits = empty()
    before, after = (np.array(world.fmr) for world in worlds)
    part = VertexBootstrap(replicates=400)
    fewest = min(
        rate * mean_comparisons(world, g, g, "FMR")
        for world in worlds
        for g, rate in enumerate(world.fmr)
    )
    chosen = (MaxMinRatio(), WorstToGeometricMean(), Gini(corrected=True))
    kept = {one.name: one for one in chosen}
    for seed in seeds:
        rng = np.random.default_rng([3, seed])
        arms = [(tally, POINT) for tally in paired_samples(*worlds, 0.7, rng)]
        table = paired_change(arms[0], arms[1], rng=rng, measures=kept, resampling=part)
        for row in table[table["kind"] == "FMR"].itertuples():
            if row.group != "all":
                group = int(row.group[1:])
                key = (name, f"{worlds[0].persons[group]} persons", "FMR change", "default", fewest)
                note(hits, key, row.low, row.high, after[group] / before[group])
        for row in table[table["kind"] == "FMR gap"].itertuples():
            one, other = (float(kept[row.group].of(rate)) for rate in (before, after))
            if one > 0:
                key = (name, "4 groups", f"{row.group} change", "default", fewest)
                note(hits, key, row.low, row.high, other / one)
    return hits


FINDING_WORLDS = {
    "unbiased, 4 x 100 persons": World((2e-3,) * 4, (100,) * 4),
    "unbiased, 8 x 60 persons": World((5e-3,) * 8, (60,) * 8),
    "one group twice, 4 x 400 persons": World((2e-3, 2e-3, 2e-3, 4e-3), (400,) * 4),
    "one group twice, 4 x 25 persons": World((2e-3, 2e-3, 2e-3, 4e-3), (25,) * 4),
}


def findings(name: str, world: World, seeds: Iterable[int]) -> Hits:
    """Samples in which some group is flagged, the right one, or it cannot be told.

    A hit of a row is: any flag; the worst group flagged; undecided with a number of persons.
    """
    hits = empty()
    rules = {"fmr": GapExceeds(limit=1.0), "fnmr": FnmrGap(limit=1.0)}
    for seed in seeds:
        rng = np.random.default_rng([4, seed])
        found = judge(evidence(sample(world, rng), rng), rules)
        for code, kind in (("fmr_gap", "FMR"), ("fnmr_gap", "FNMR")):
            mine = [one for one in found if one.code == code]
            flags = [one.keys["group"] for one in mine if one.level == "flag"]
            open_ones = [one for one in mine if one.level == "undecided"]
            told = any("persons per group would tell" in one.statement for one in open_ones)
            worst = f"g{len(world.fmr) - 1}" in flags
            for quantity, hit in (
                (f"{kind}: any group flagged", bool(flags)),
                (f"{kind}: the last group flagged", worst),
                (f"{kind}: cannot tell, with the number needed", told),
            ):
                hits[name, "all", quantity, "rules", 0.0] += np.array([1, hit, 0, 0])
    return hits


def evidence(tally: Any, rng: np.random.Generator) -> Evidence:
    """What the rules look at, by the path of an evaluation."""
    part = WilsonEffective()
    table = error_rates(tally, POINT, part, **NAMES, rng=rng)
    gaps = differentials(tally, POINT, table, {}, part, rng=rng)
    faces = pd.DataFrame({"group": pd.Categorical(np.array(tally.groups)[tally.group])})
    return Evidence(
        rates=table,
        gaps=gaps,
        thresholds={"": POINT},
        faces=FaceSet("simulated", "1", Path(), faces, synthetic=True),
    )


PARTS: dict[str, tuple[Callable[..., Hits], dict[str, Any]]] = {
    "rates": (rates, RATE_WORLDS),
    "measures": (measures, MEASURE_WORLDS),
    "changes": (changes, change_worlds()),
    "findings": (findings, FINDING_WORLDS),
}


def one_block(task: tuple[str, str, range]) -> dict[Key, list[int]]:
    """What one process does."""
    part, name, seeds = task
    function, worlds = PARTS[part]
    return {key: found.tolist() for key, found in function(name, worlds[name], seeds).items()}


def measured(part: str, samples: int) -> list[dict[str, Any]]:
    """All worlds of a part, ``samples`` each."""
    blocks = [range(start, min(start + 50, samples)) for start in range(0, samples, 50)]
    tasks = [(part, name, block) for name in PARTS[part][1] for block in blocks]
    total = empty()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for found in pool.map(one_block, tasks):
            for key, counts in found.items():
                total[key] += np.array(counts)
    return [
        {
            "part": part,
            "world": world,
            "cell": cell,
            "quantity": quantity,
            "method": method,
            "expected_errors": round(expected, 1),
            "samples": int(count[0]),
            "covered": int(count[1]),
            "below": int(count[2]),
            "above": int(count[3]),
        }
        for (world, cell, quantity, method, expected), count in total.items()
    ]


def kept_rows() -> list[dict[str, Any]]:
    """What is written already, read anew: two runs may measure two parts."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []


def main() -> None:
    """Simulate, write, and make the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--page", action="store_true", help="only write the page again")
    options = parser.parse_args()
    rows = kept_rows()
    for part in [] if options.page else options.only or list(PARTS):
        started = time.perf_counter()
        found = measured(part, options.samples)
        rows = [row for row in kept_rows() if row["part"] != part] + found
        RESULTS.write_text(json.dumps(rows, indent=0) + "\n", encoding="utf-8")
        print(f"{part}: {time.perf_counter() - started:.0f} s")
    write_page(rows)


if __name__ == "__main__":
    main()
