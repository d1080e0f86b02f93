"""What the peers and frbench both do in ``bench.peer_rows``: the data, and frbench's side of it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench.peers.adapters import memory

from frbench.comparison import ComparisonSpec, compare
from frbench.counted import Counted
from frbench.counting.listed import count_listed
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.rates import error_rates
from frbench.thresholds import choose_thresholds
from frbench.values import ALL, EmbeddingSet, ScoredPairs, ScoreTally

CELLS = 36


def save_templates(path: Path, *, persons: int, images: int, d: int, noise: float) -> None:
    """Unit vectors round one direction per person; mated scores are about 1 / (1 + noise^2)."""
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(persons), images)
    own = rng.standard_normal((persons, d))
    x = own[subject] + noise * rng.standard_normal((len(subject), d))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    np.savez(path, vectors=x.astype(np.float32), subject=subject, group=subject % 8)


def load_templates(path: Path) -> tuple[EmbeddingSet, pd.DataFrame]:
    """The same, as frbench takes them."""
    data = np.load(path)
    ids = np.array([f"image {n}" for n in range(len(data["subject"]))])
    names = [f"g{n}" for n in range(int(data["group"].max()) + 1)]
    group = pd.Categorical.from_codes(data["group"], categories=names)
    faces = pd.DataFrame({"image_id": ids, "subject_id": data["subject"], "group": group})
    enrolled = np.ones(len(ids), dtype=bool)
    failure = np.full(len(ids), "")
    return EmbeddingSet(data["vectors"], enrolled, failure, ids, "bench", "bench"), faces


def templates_to_rates(embedded: EmbeddingSet, faces: pd.DataFrame, target: float) -> pd.DataFrame:
    """Comparison, threshold, rates and their intervals in every cell."""
    tally = compare(embedded, faces, ComparisonSpec(histogram_bins=0, keep_fmr=target, keep_all=1))
    thresholds = choose_thresholds(tally, [target], chosen_on="bench")
    rng = np.random.default_rng(0)
    names = {"matcher": "bench", "benchmark": "bench"}
    return error_rates(tally, thresholds, WilsonEffective(), **names, rng=rng)


def false_matches(rates: pd.DataFrame) -> dict[str, list[int]]:
    """``a-b`` -> [false matches, comparisons] of every cell, groups by number."""
    rows = rates[(rates["kind"] == "FMR") & (rates["probe_group"] != ALL)]
    return {
        f"{row.probe_group[1:]}-{row.reference_group[1:]}": [row.errors, row.comparisons]
        for row in rows.itertuples()
    }


def scored_comparisons(path: Path, size: int = 1_000_000) -> dict[str, Any]:
    """Scores in 36 cells; a tenth are mated."""
    rng = np.random.default_rng(2)
    mated = rng.random(size) < 0.1
    score = (rng.standard_normal(size) * 0.1 + 0.5 * mated).astype(np.float32)
    cell = rng.integers(0, CELLS, size)
    np.savez(path, score=score, cell=cell, mated=mated)
    return {"score": score, "cell": cell, "mated": mated}


def rates_by_bincount(
    score: np.ndarray, cell: np.ndarray, mated: np.ndarray, threshold: float
) -> np.ndarray:
    """float64 [2, cells]: FMR and FNMR, with two calls of ``numpy.bincount``."""
    key = cell * 2 + mated
    tried = np.bincount(key, minlength=2 * CELLS).reshape(CELLS, 2)
    matched = np.bincount(key[score >= np.float32(threshold)], minlength=2 * CELLS)
    share = matched.reshape(CELLS, 2) / tried
    return np.stack([share[:, 0], 1 - share[:, 1]])


def rates_by_frbench(
    score: np.ndarray, cell: np.ndarray, mated: np.ndarray, threshold: float
) -> np.ndarray:
    """float64 [2, cells]: the same with ``count_listed``, which also sets failures apart."""
    counts = count_listed(score, cell, mated, cells=CELLS, threshold=threshold)
    share = counts[:, :, 2] / counts[:, :, 0]
    return np.stack([share[1], 1 - share[0]])


def listed_tally(mated: np.ndarray, non_mated: np.ndarray) -> ScoreTally:
    """Scores without persons, as a tally from which thresholds can be chosen."""
    size = len(mated) + len(non_mated)
    first = np.arange(size, dtype=np.int32) * 2
    listed = ScoredPairs(first, first + 1, np.concatenate([mated, non_mated]))
    subject = np.arange(2 * size, dtype=np.int32)
    subject[1 : 2 * len(mated) : 2] -= 1
    own = np.arange(size) < len(mated)
    return ScoreTally(
        groups=("everyone",),
        subject=subject,
        group=np.zeros(2 * size, dtype=np.int16),
        stratum=np.zeros(2 * size, dtype=np.int16),
        enrolled=np.ones(2 * size, dtype=np.bool_),
        mated=listed.take(own),
        tail=listed.take(~own),
        floor=-np.inf,
        ordered=True,
        listed=listed,
    )


def variances(tally: ScoreTally, threshold: float) -> tuple[float, float]:
    """Variance of the pooled FNMR and FMR, nothing kept from an earlier call."""
    counted = Counted(tally)
    misses = counted.false_non_matches(threshold)
    return float(misses.variance[-1]), float(counted.false_matches(threshold).variance[-1])


def child(task: dict[str, Any], answer: Path) -> None:
    """frbench's side of embeddings to rates, in a process whose memory is watched."""
    embedded, faces = load_templates(Path(task["data"]))
    before, _ = memory.resident()
    seconds, rates = [], pd.DataFrame()
    for _ in range(task["repeats"] + 1):
        started = time.perf_counter()
        rates = templates_to_rates(embedded, faces, task["target"])
        seconds.append(time.perf_counter() - started)
    _, peak = memory.resident()
    found = {"seconds": seconds[1:], "before": before, "peak": peak, "cells": false_matches(rates)}
    answer.write_text(json.dumps(found))


if __name__ == "__main__":
    child(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
