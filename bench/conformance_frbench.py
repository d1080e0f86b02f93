"""frbench answers the conformance cases through the doors that users have.

Lists of scores go through a file and ``ScoreBenchmark``; templates through ``compare``.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench.peers.adapters import exchange

from frbench.benchmarks.scores import ScoreBenchmark
from frbench.comparison import ComparisonSpec, compare
from frbench.counted import Counted
from frbench.gaps import differentials
from frbench.groups import GroupSpec, assign_groups
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.measures.max_min_ratio import MaxMinRatio
from frbench.rates import error_rates
from frbench.thresholds import choose_thresholds
from frbench.values import ALL, EmbeddingSet, FaceSet, ScoreTally

Case = Mapping[str, Any]
Answer = tuple[str, dict[str, float]]

LIST = "ScoreBenchmark, assign_groups"
SEED = 20261123


def listed(case: Case) -> ScoreTally:
    """The tally of the case's comparisons, written to a score file and read back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = list(_rows(case))
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        benchmark = ScoreBenchmark(path=path)
        levels = {"group": case["groups"]} if "groups" in case else {}
        faces = assign_groups(benchmark.load(), GroupSpec(by=("group",), levels=levels))
        return benchmark.tally(faces)


def _rows(case: Case) -> Any:
    """Rows of a score file; persons that the case does not name take part once."""
    number = 0
    for row in case["comparisons"]:
        for _ in range(row.get("times", 1)):
            number += 1
            own = [f"m{number}"] * 2 if row["mated"] else [f"n{number}p", f"n{number}r"]
            probe, reference = map(str, row.get("subjects", own))
            yield {
                "probe_id": f"{probe}/{number}p",
                "reference_id": f"{reference}/{number}r",
                "probe_subject": probe,
                "reference_subject": reference,
                "probe_group": _label(case, row),
                "reference_group": _label(case, row),
                "score": "" if row["score"] is None else row["score"],
            }


def _label(case: Case, row: Mapping[str, Any]) -> str:
    grouped = any("group" in each for each in case["comparisons"])
    return (row.get("group") or "") if grouped else "everyone"


def _identified(case: Case) -> ScoreTally:
    """A case that brings its own identifiers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv"
        rows = pd.DataFrame(case["comparisons"])
        rename = {"probe": "probe_id", "reference": "reference_id"}
        rows.rename(columns=rename).to_csv(path, index=False)
        benchmark = ScoreBenchmark(path=path)
        by = ("group",) if "probe_group" in rows else ()
        return benchmark.tally(assign_groups(benchmark.load(), GroupSpec(by=by)))


def embedded(case: Case) -> ScoreTally:
    """The tally of all pairs of the case's templates."""
    rows = case["templates"]
    width = max(len(row["vector"] or ()) for row in rows)
    vectors = np.array([row["vector"] or [0.0] * width for row in rows], dtype=np.float32)
    enrolled = np.array([row["vector"] is not None for row in rows])
    return _all_pairs(vectors, [row["subject"] for row in rows], enrolled)


def _all_pairs(
    vectors: np.ndarray, subjects: list[str], enrolled: np.ndarray, **spec: float
) -> ScoreTally:
    ids = np.array([f"image {number}" for number in range(len(subjects))])
    table = pd.DataFrame({"image_id": ids, "subject_id": subjects, "path": ""})
    faces = assign_groups(FaceSet("case", "1", Path(), table), GroupSpec(by=()))
    failure = np.where(enrolled, "", "no face found")
    made = EmbeddingSet(vectors, enrolled, failure, ids, "case", "case")
    return compare(made, faces.faces, ComparisonSpec(histogram_bins=0, **spec))


def _table(tally: ScoreTally, case: Case) -> pd.DataFrame:
    thresholds = choose_thresholds(tally, [], fixed=[case["threshold"]], chosen_on="case")
    rng = np.random.default_rng(SEED)
    names = {"matcher": "case", "benchmark": case["id"]}
    return error_rates(tally, thresholds, WilsonEffective(), **names, rng=rng)


def _pooled(tally: ScoreTally, case: Case, kind: str) -> pd.Series:
    table = _table(tally, case)
    return table[(table["kind"] == kind) & (table["probe_group"] == ALL)].iloc[0]


def rates(case: Case) -> Answer:
    """Both pooled rates."""
    tally = listed(case)
    answer = {kind.lower(): _pooled(tally, case, kind)["rate"] for kind in ("FMR", "FNMR")}
    return f"{LIST}, error_rates", answer


def threshold(case: Case) -> Answer:
    """The FMR of the threshold chosen for the target."""
    tally = listed(case)
    (chosen,) = choose_thresholds(tally, [case["target_fmr"]], chosen_on="case")
    non_mated = tally.tail.score
    return "choose_thresholds", {"fmr": np.mean(non_mated >= chosen.value)}


def by_group(case: Case) -> Answer:
    """FMR within each group."""
    table = _table(listed(case), case)
    own = table[(table["kind"] == "FMR") & (table["probe_group"] == table["reference_group"])]
    own = own[own["probe_group"] != ALL]
    names, found = own["probe_group"], own["rate"]
    return f"{LIST}, error_rates", dict(zip(names, found, strict=True))


def interval(case: Case) -> Answer:
    """The default interval of the pooled FMR."""
    row = _pooled(listed(case), case, "FMR")
    return "error_rates with WilsonEffective", {"low": row["low"], "high": row["high"]}


def ratio(case: Case) -> Answer:
    """The highest FMR over the lowest."""
    tally = listed(case)
    thresholds = choose_thresholds(tally, [], fixed=[case["threshold"]], chosen_on="case")
    rng, measure = np.random.default_rng(SEED), MaxMinRatio()
    interval = VertexBootstrap(replicates=100)
    parts = {measure.name: measure}
    table = differentials(tally, thresholds, _table(tally, case), parts, interval, rng=rng)
    wanted = (table["measure"] == measure.name) & (table["kind"] == "FMR")
    return "differentials with MaxMinRatio", {"max_over_min": table[wanted]["value"].iloc[0]}


def fmr_variance(case: Case) -> Answer:
    """Rate and variance of false matches."""
    found = Counted(listed(case)).false_matches(case["threshold"])
    answer = {"fmr": found.errors[-1] / found.comparisons[-1], "variance": found.variance[-1]}
    return "Counted.false_matches", answer


def fnmr_variance(case: Case) -> Answer:
    """Rate and variance of misses."""
    found = Counted(listed(case)).false_non_matches(case["threshold"])
    answer = {"fnmr": found.errors[-1] / found.comparisons[-1], "variance": found.variance[-1]}
    return "Counted.false_non_matches", answer


def all_pairs(case: Case) -> Answer:
    """Both rates of templates compared all with all."""
    tally = embedded(case)
    answer = {kind.lower(): _pooled(tally, case, kind)["rate"] for kind in ("FMR", "FNMR")}
    return "compare, error_rates", answer


def all_pairs_counts(case: Case) -> Answer:
    """How many mated comparisons there were."""
    return "compare", {"mated": len(embedded(case).mated)}


def listed_counts(case: Case) -> Answer:
    """How many non-mated comparisons there were."""
    tally = _identified(case)
    return LIST, {"non_mated": _pooled(tally, case, "FMR")["comparisons"]}


def listed_groups(case: Case) -> Answer:
    """How many comparisons there were, if the labels are accepted."""
    return LIST, {"comparisons": len(_identified(case).mated) + len(_identified(case).tail)}


def float32_counts(case: Case) -> Answer:
    """The same comparisons as templates: alike ones match each other, the others nobody."""
    alike, different = case["all_pairs_of"]["alike"], case["all_pairs_of"]["different"]
    vectors = np.zeros((alike + different, 64), dtype=np.float32)
    vectors[:alike, 0] = 1.0
    vectors[np.arange(alike, alike + different), 1 + np.arange(different)] = 1.0
    subjects = [f"person {number}" for number in range(len(vectors))]
    tally = _all_pairs(vectors, subjects, np.ones(len(vectors), dtype=bool), keep_all=20_000_000)
    return "compare, error_rates", {"fmr": _pooled(tally, case, "FMR")["rate"]}


def number_of_comparisons(case: Case) -> Answer:
    """The count by arithmetic, as the rates of a set of that size state it."""
    persons = case["persons"]
    nobody = _all_pairs(np.eye(2, dtype=np.float32), ["a", "b"], np.ones(2, dtype=bool))
    tally = ScoreTally(
        groups=nobody.groups,
        subject=np.arange(persons, dtype=np.int32),
        group=np.zeros(persons, dtype=np.int16),
        stratum=np.zeros(persons, dtype=np.int16),
        enrolled=np.ones(persons, dtype=np.bool_),
        mated=nobody.mated,
        tail=nobody.tail.take(np.zeros(len(nobody.tail), dtype=np.bool_)),
        floor=0.0,
    )
    return "error_rates", {"comparisons": int(_pooled(tally, case, "FMR")["comparisons"])}


ANSWERS: dict[str, Callable[[Case], Answer]] = {
    "float32_counts": float32_counts,
    "rates": rates,
    "threshold": threshold,
    "fmr_by_group": by_group,
    "fmr_interval": interval,
    "max_over_min": ratio,
    "fmr_variance": fmr_variance,
    "fnmr_variance": fnmr_variance,
    "all_pairs": all_pairs,
    "all_pairs_counts": all_pairs_counts,
    "listed_counts": listed_counts,
    "listed_groups": listed_groups,
    "number_of_comparisons": number_of_comparisons,
}

if __name__ == "__main__":
    exchange.serve(["frbench", "numpy", "scipy", "pandas", "numba"], ANSWERS, {})
