"""Speed of the intervals: closed forms, bootstrap, beside cimat; run by ``scripts/bench rates``.

The large case has 10,000 persons with two images in 8 groups, all compared with all, and errors of
persons who differ. Writes ``bench/results/rates.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from bench import peer_rows
from bench.peers.environments import Unavailable
from bench.timing import Row, machine, row, side_by_side, table

from frbench.counted import Counted
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.rates import error_rates
from frbench.values import ScoredPairs, ScoreTally, Threshold

RESULTS = Path(__file__).parent / "results" / "rates.json"
PERSONS, IMAGES, GROUPS = 10_000, 2, 8
TARGETS = (1e-2, 1e-3, 1e-4)
WORK = f"{PERSONS:,} persons, {GROUPS} groups, FMR 1e-2, 1e-3 and 1e-4"


def large_tally() -> ScoreTally:
    """About two million false matches at the highest target; scores even on [0, 1]."""
    rng = np.random.default_rng(0)
    size = PERSONS * IMAGES
    subject = np.repeat(np.arange(PERSONS, dtype=np.int32), IMAGES)
    propensity = np.cumsum(np.repeat(rng.gamma(2.0, 0.5, PERSONS), IMAGES))
    errors = int(size * (size - 1) / 2 * TARGETS[0])
    one = np.searchsorted(propensity / propensity[-1], rng.random(errors))
    other = rng.integers(0, size, errors)
    kept = subject[one] != subject[other]
    low, high = np.minimum(one, other)[kept], np.maximum(one, other)[kept]
    key = np.unique(low.astype(np.int64) * size + high)
    first, second = (side.astype(np.int32) for side in np.divmod(key, size))
    mated = np.arange(0, size, IMAGES, dtype=np.int32)
    genuine = np.where(rng.random(PERSONS) < 0.05, 0.0, 2.0).astype(np.float32)
    return ScoreTally(
        groups=tuple(f"g{number}" for number in range(GROUPS)),
        subject=subject,
        group=(subject % GROUPS).astype(np.int16),
        stratum=np.zeros(size, np.int16),
        enrolled=np.ones(size, dtype=bool),
        mated=ScoredPairs(mated, mated + 1, genuine),
        tail=ScoredPairs(first, second, rng.random(len(key)).astype(np.float32)),
        floor=0.0,
    )


def points() -> list[Threshold]:
    """Thresholds at the targets."""
    return [
        Threshold(1.0 - target / TARGETS[0], "target_fmr", target, target, 0, 0, "bench")
        for target in TARGETS
    ]


def closed_forms(tally: ScoreTally) -> None:
    """Counts, variances and intervals of all cells, nothing kept from an earlier call."""
    counted, part, rng = Counted(tally), WilsonEffective(), np.random.default_rng(0)
    for point in points():
        part.bounds(counted.false_matches(point.value), rng=rng)
        part.bounds(counted.false_non_matches(point.value), rng=rng)


def bootstrap(tally: ScoreTally) -> None:
    """2,000 replicates of every cell, FMR and FNMR, at all targets, weights drawn once."""
    counted, part = Counted(tally), VertexBootstrap(replicates=2000)
    weights = part.weights(PERSONS, rng=np.random.default_rng(0))
    for point in points():
        counted.false_matches(point.value).resampled(weights, self_pairs=True)
        counted.false_non_matches(point.value).resampled(weights, self_pairs=True)


def whole_table(tally: ScoreTally) -> None:
    """The table of rates, as an evaluation makes it."""
    rng = np.random.default_rng(0)
    error_rates(tally, points(), WilsonEffective(), matcher="m", benchmark="b", rng=rng)


def measured(repeats: int) -> list[Row]:
    """Against the bars in seconds: there is no peer with groups and persons."""
    tally = large_tally()
    found = {"errors_at_1e-2": len(tally.tail)}
    forms, rates = side_by_side([lambda: closed_forms(tally), lambda: whole_table(tally)], repeats)
    started = time.process_time()
    closed_forms(tally)
    found["cpu_seconds"] = round(time.process_time() - started, 3)
    (draws,) = side_by_side([lambda: bootstrap(tally)], max(1, repeats // 3))
    return [
        row(f"closed forms of all cells, {WORK}", forms, "the bar", 0.1, 1.0, **found),
        row(f"the whole table of rates, {WORK}", rates, "the bar", 0.1, 1.0),
        row(f"2,000 bootstrap replicates of all cells, {WORK}", draws, "the bar", 5.0, 1.0),
    ]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    before = machine()
    rows = measured(options.repeats)
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows += peer_rows.person_variances(options.repeats, Path(folder))
    except Unavailable as reason:
        print(f"cimat: not measured: {reason}")
    print(table(rows))
    found = [{**each, "machine": before} for each in rows]
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written to {os.path.relpath(RESULTS)}")


if __name__ == "__main__":
    main()
