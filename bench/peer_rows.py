"""Speed, memory and agreement beside other tools; run by ``scripts/bench peer_rows``.

Each peer runs in its own environment and reads the same files. Writes ``bench/results/peers.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench.peer_work import (
    listed_tally,
    load_templates,
    rates_by_bincount,
    rates_by_frbench,
    save_templates,
    scored_comparisons,
    variances,
)
from bench.peers import peer
from bench.peers.environments import ADAPTERS, Unavailable, ask, interpreter
from bench.timing import Row, machine, row, side_by_side, table

from frbench.comparison import ComparisonSpec, compare
from frbench.counting.score import scores
from frbench.thresholds import choose_thresholds

RESULTS = Path(__file__).parent / "results" / "peers.json"
SECONDS = 1800
EVERYTHING = ComparisonSpec(histogram_bins=0, keep_fmr=1.0)
OURS = [sys.executable, "-m", "bench.peer_work"]


def asked(name: str, script: str, task: dict[str, Any]) -> Any:
    """What the peer's script answers."""
    return ask([interpreter(peer(name)), ADAPTERS / script], given=task, timeout=SECONDS)


def templates(repeats: int, folder: Path) -> list[Row]:
    """2,000 templates, all with all, to the rates of 8 groups and their crossings."""
    data = folder / "templates.npz"
    save_templates(data, persons=500, images=4, d=512, noise=1.0)
    task = {"data": str(data), "target": 1e-3}
    ours = ask(
        OURS,
        given={**task, "repeats": 5 * repeats},
        timeout=SECONDS,
        folder=Path(__file__).parents[1],
    )
    rows = []
    for file, way in [(True, "through its score file"), (False, "scores kept in memory")]:
        task |= {"repeats": max(1, repeats // 2), "file": file}
        theirs = asked("bob.bio.base", "bob_bio_base_speed.py", task)
        against = f"bob.bio.base 8.1.1, {way}"
        work = "2,000 x 2,000 templates, d = 512, to rates of 8 groups"
        same = {"cells_that_differ": _differing(ours["cells"], theirs["cells"])}
        seconds = [statistics.median(each["seconds"]) for each in (ours, theirs)]
        rows.append(row(work, seconds[0], against, seconds[1], 1 / 500, **same))
        whole, grown = "peak memory, whole process", "peak memory beyond imports and templates"
        rows.append(row(whole, ours["peak"], against, theirs["peak"], 1 / 10, unit="bytes"))
        more = [each["peak"] - each["before"] for each in (ours, theirs)]
        rows.append(row(grown, more[0], against, more[1], 1 / 10, unit="bytes"))
    return rows


def _differing(ours: dict[str, Any], theirs: dict[str, Any]) -> int:
    cells = set(ours) | set(theirs)
    return sum(ours.get(cell) != theirs.get(cell) for cell in cells)


def listed(repeats: int, folder: Path) -> list[Row]:
    """A million scored comparisons in 36 cells, to both rates of each."""
    data, threshold = folder / "scored.npz", 0.3
    columns = scored_comparisons(data)
    task = {"data": str(data), "threshold": threshold, "repeats": max(1, repeats // 2)}
    theirs = asked("fairlearn", "fairlearn_speed.py", task)

    def ours() -> np.ndarray:
        return rates_by_frbench(**columns, threshold=threshold)

    def bincount() -> np.ndarray:
        return rates_by_bincount(**columns, threshold=threshold)

    seconds = side_by_side([ours, bincount], 5 * repeats)
    work = "10^6 scored comparisons, 36 cells, to rates (count_listed)"
    expected = np.stack([theirs["fmr"], theirs["fnmr"]])
    apart = float(np.abs(ours() - expected).max())
    slow = statistics.median(theirs["seconds"])
    return [
        row(
            work,
            seconds[0],
            "numpy.bincount",
            seconds[1],
            1.5,
            largest_difference=float(np.abs(ours() - bincount()).max()),
        ),
        row(
            work,
            seconds[0],
            "fairlearn 0.15.0 MetricFrame",
            slow,
            1 / 300,
            largest_difference=apart,
        ),
    ]


def thresholds(repeats: int, folder: Path) -> list[Row]:
    """Decisions at the thresholds of target FMRs, on scores with and without ties."""
    rng = np.random.default_rng(3)
    targets, sets = [1e-1, 1e-2, 1e-3, 1e-4], {}
    for digits in (1, 2, 3, 15):
        mated = np.round(rng.normal(0.5, 0.15, 20_000), digits)
        non_mated = np.round(rng.normal(0.0, 0.15, 980_000), digits)
        path = folder / f"scores_{digits}.npz"
        np.savez(path, mated=mated, non_mated=non_mated)
        sets[str(path)] = (mated, non_mated)
    ours = {}
    for path, (mated, non_mated) in sets.items():
        tally = listed_tally(mated, non_mated)
        ours[path] = [each.value for each in choose_thresholds(tally, targets, chosen_on="bench")]
    task = {"data": list(sets), "targets": targets, "ours": ours}
    theirs = asked("bob.measure", "bob_measure_thresholds.py", task)
    differ = decisions = between = uneven = 0
    for answer in theirs:
        mated, non_mated = sets[answer["data"]]
        value = ours[answer["data"]][targets.index(answer["target"])]
        differ += int(((non_mated >= value) != (non_mated >= answer["threshold"])).sum())
        decisions += len(non_mated)
        between += int(((mated >= value) != (mated >= answer["threshold"])).sum())
        uneven += float((non_mated >= value).mean()) != answer["fmr_at_ours"]
        uneven += float((mated < value).mean()) != answer["fnmr_at_ours"]
    against = "bob.measure 6.1.1 far_threshold"
    work = f"non-mated decisions that differ at {len(theirs)} thresholds, of {decisions:,}"
    # ours is the lowest threshold that keeps the target, bob's the lowest non-mated score that
    # may match: mated scores may lie between, and only ours accepts them
    found = {"unit": "decisions", "mated_scores_between_the_two": between}
    rates = f"FMR and FNMR at the same threshold that differ, of {2 * len(theirs)}"
    return [
        row(work, differ, against, decisions, 0.0, **found),
        row(rates, uneven, "bob.measure 6.1.1 farfrr", 2 * len(theirs), 0.0, unit="rates"),
    ]


def person_variances(repeats: int, folder: Path) -> list[Row]:
    """Variances of FMR and FNMR among 200 persons with four images."""
    path, persons = folder / "persons.npz", 200
    save_templates(path, persons=persons, images=4, d=128, noise=2.0)
    embedded, faces = load_templates(path)
    faces = faces.assign(group=pd.Categorical(["everyone"] * len(faces)))  # cimat knows no groups
    tally = compare(embedded, faces, EVERYTHING)
    (chosen,) = choose_thresholds(tally, [1e-2], chosen_on="bench")
    size = len(embedded.vectors)
    matrix = np.zeros((size, size))
    rows, columns = np.triu_indices(size, 1)
    pairs = rows.astype(np.int32), columns.astype(np.int32)
    matrix[rows, columns] = scores(embedded.vectors, *pairs)
    subject, vectors = np.repeat(np.arange(persons), 4), embedded.vectors
    np.savez(path, score=matrix + matrix.T, subject=subject, vectors=vectors)
    # cimat matches above its threshold, we at it: between two scores both decide alike
    between = (np.nextafter(np.float32(chosen.value), np.float32(-1)) + chosen.value) / 2
    task = {"data": str(path), "threshold": float(between), "repeats": repeats}
    theirs = asked("cimat", "cimat_speed.py", task)
    ours = variances(tally, chosen.value)
    apart = max(abs(a / b - 1) for a, b in zip(ours, (theirs["fnmr"], theirs["fmr"]), strict=True))

    def whole() -> object:
        return variances(compare(embedded, faces, EVERYTHING), chosen.value)

    # one after the other: torch's idle threads go on spinning for a while after ``whole``
    runs = [lambda: variances(tally, chosen.value), whole]
    found = [side_by_side([run], 5 * repeats)[0] for run in runs]
    slow = statistics.median(theirs["seconds"])
    slower = slow + theirs["seconds_scoring"]
    work = "variances of FMR and FNMR, 200 persons with 4 images, from "
    precision = "largest relative difference of the variances"
    return [
        row(work + "scores", found[0], "cimat 0.1.2 compute_variance", slow, 1 / 1000),
        row(work + "templates", found[1], "cimat 0.1.2 with its scoring", slower, 1 / 1000),
        row(precision, apart, "1, of cimat 0.1.2", 1.0, 1e-10, unit=""),
    ]


PARTS: dict[str, Callable[[int, Path], list[Row]]] = {
    "templates": templates,
    "listed": listed,
    "thresholds": thresholds,
    "variances": person_variances,
}


def measured(parts: Sequence[str], repeats: int) -> tuple[list[Row], dict[str, str]]:
    """The rows of the named parts, and the reason for each part whose peer cannot be had."""
    rows: list[Row] = []
    missing = {}
    for name in parts:
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            try:
                rows += PARTS[name](repeats, Path(folder))
            except Unavailable as reason:
                missing[name] = str(reason)
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return rows, missing


def main() -> None:
    """Measure, print, write; a peer that cannot be had is named with the reason."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=PARTS, action="append")
    options = parser.parse_args()
    before = machine()
    rows, missing = measured(options.only or list(PARTS), options.repeats)
    print(table(rows))
    for name, reason in missing.items():
        print(f"{name}: not measured: {reason}")
    if not options.only:
        found = [{**each, "machine": before} for each in rows]
        found += [{"work": name, "not_measured": reason} for name, reason in missing.items()]
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"written to {os.path.relpath(RESULTS)}")


if __name__ == "__main__":
    main()
