"""fairlearn answers the conformance cases; decisions (not scores) and a group per row in."""

import exchange
import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate

FRAME = "fairlearn.metrics.MetricFrame"


def _frame(case, metrics, **more):
    mated, score, group = exchange.columns(case)
    decided = np.where(np.isnan(score), np.nan, score >= case["threshold"])
    if not np.isnan(score).any():
        decided = decided.astype(int)
    if case.get("groups"):
        group = pd.Categorical(group, categories=[*case["groups"]])
    else:
        group = ["everyone" if g is None else g for g in group] if _pooled(group) else group
    features = pd.Series(group, name="group")
    truth = mated.astype(int)
    return MetricFrame(
        metrics=metrics, y_true=truth, y_pred=decided, sensitive_features=features, **more
    )


def _pooled(group):
    return all(name is None for name in group)


def rates(case):
    """The overall rates of a frame."""
    overall = _frame(case, {"fmr": false_positive_rate, "fnmr": false_negative_rate}).overall
    return f"{FRAME}.overall", {"fmr": overall["fmr"], "fnmr": overall["fnmr"]}


def by_group(case):
    """The false-positive rate by group."""
    return f"{FRAME}.by_group", dict(_frame(case, false_positive_rate).by_group.items())


def interval(case):
    """Its bootstrap over rows."""
    more = {"n_boot": 200, "ci_quantiles": [0.025, 0.975], "random_state": 0}
    low, high = _frame(case, false_positive_rate, **more).overall_ci
    return f"{FRAME}(n_boot=200).overall_ci", {"low": low, "high": high}


def ratio(case):
    """Its ratio between groups."""
    return f"{FRAME}.ratio()", {"min_over_max": _frame(case, false_positive_rate).ratio()}


if __name__ == "__main__":
    takes = "takes decisions; the caller compares scores with the threshold"
    exchange.serve(
        ["fairlearn", "scikit-learn", "pandas", "numpy"],
        {"rates": rates, "fmr_by_group": by_group, "fmr_interval": interval, "max_over_min": ratio},
        {
            "tie_at_threshold": takes,
            "negative_scores": takes,
            "unknown_group": "groups are not declared; a new one gets its own row",
            "threshold": "chooses no threshold at a target FMR",
            "fmr_variance": "gives bootstrap quantiles over rows; no variance by person",
            "fnmr_variance": "takes decisions",
            "": "takes rows of decisions, without images or persons",
        },
    )
