"""cimat answers the conformance cases; scores by person and pair of persons in, no groups."""

import exchange
import numpy as np
from cimat import MTData, UncertaintyEstimator


def _scores(case):
    """{person: {person: [scores]}}, each non-mated list under both persons, as MTData makes it."""
    made = {}
    for number, row in enumerate(case["comparisons"]):
        own = [f"m{number}"] * 2 if row["mated"] else [f"n{number}p", f"n{number}r"]
        one, other = row.get("subjects", own)
        score = np.nan if row["score"] is None else row["score"]
        values = made.setdefault(one, {}).setdefault(other, [])
        values.extend([score] * row.get("times", 1))
        made.setdefault(other, {})[one] = values
    return made


def rates(case):
    """Its rates at a threshold."""
    estimator = UncertaintyEstimator(_scores(case))
    fnmr, fmr, _ = estimator.compute_binerror_metrics(case["threshold"])
    return "cimat.UncertaintyEstimator.compute_binerror_metrics", {"fmr": fmr, "fnmr": fnmr}


def _with_variance(case):
    estimator = UncertaintyEstimator(_scores(case))
    fnmr, fmr, _ = estimator.compute_binerror_metrics(case["threshold"])
    of_fnmr, of_fmr = estimator.compute_variance(case["threshold"])
    return {"fmr": (fmr, of_fmr), "fnmr": (fnmr, of_fnmr)}


def fmr_variance(case):
    """Its plug-in variance of the FMR."""
    rate, variance = _with_variance(case)["fmr"]
    return "cimat.UncertaintyEstimator.compute_variance", {"fmr": rate, "variance": variance}


def fnmr_variance(case):
    """Its plug-in variance of the FNMR."""
    rate, variance = _with_variance(case)["fnmr"]
    return "cimat.UncertaintyEstimator.compute_variance", {"fnmr": rate, "variance": variance}


def interval(case):
    """Its interval of the FMR."""
    estimator = UncertaintyEstimator(_scores(case))
    _, (low, high) = estimator.get_binerror_ci(threshold=case["threshold"])
    return "cimat.UncertaintyEstimator.get_binerror_ci", {"low": low, "high": high}


def _gathered(data):
    _, labels = UncertaintyEstimator(data.similarity_scores).gather_scores()
    return np.array(labels)


def all_pairs_counts(case):
    """Mated scores among all pairs of images."""
    images = {}
    for row in case["templates"]:
        images.setdefault(row["subject"], {})[row["image"]] = np.array(row["vector"])
    data = MTData(images)
    data.generate_similarity_scores()
    return "cimat.MTData.generate_similarity_scores", {"mated": int((_gathered(data) == 1).sum())}


def listed_counts(case):
    """Non-mated scores of a list of pairs; the tool keeps each under both persons."""
    images, pairs = {}, []
    for row in case["comparisons"]:
        for side in ("probe", "reference"):
            images.setdefault(row[f"{side}_subject"], {})[row[side]] = np.array([1.0, 0.0])
        one = (row["probe_subject"], row["probe"])
        pairs.append((*one, row["reference_subject"], row["reference"]))
    data = MTData(images)
    data.generate_similarity_scores(pairs=pairs)
    count = int((_gathered(data) == 0).sum()) // 2
    return "cimat.MTData.generate_similarity_scores(pairs=…)", {"non_mated": count}


if __name__ == "__main__":
    exchange.serve(
        ["cimat", "numpy", "scikit-learn"],
        {
            "rates": rates,
            "fmr_variance": fmr_variance,
            "fnmr_variance": fnmr_variance,
            "fmr_interval": interval,
            "all_pairs_counts": all_pairs_counts,
            "listed_counts": listed_counts,
        },
        {
            "threshold": "chooses no threshold at a target FMR",
            "all_pairs": "an image cannot be marked as failed",
            "number_of_comparisons": "every score is listed",
            "": "knows no groups",
        },
    )
