"""pyeer answers the conformance cases; score lists or a histogram of integer scores in."""

import exchange
import numpy as np
from pyeer.eer_info import get_eer_stats
from pyeer.eer_stats import calculate_roc, calculate_roc_hist


def rates(case):
    """FMR and FNMR at the lowest of the tool's thresholds (the scores) that is not below ours."""
    mated, non_mated = exchange.split(case)
    thresholds, fmr, fnmr = calculate_roc(list(mated), list(non_mated))
    place = int(np.searchsorted(thresholds, case["threshold"]))
    return "pyeer.eer_stats.calculate_roc", {"fmr": fmr[place], "fnmr": fnmr[place]}


def large(case):
    """The histogram of scores 0 and 1, the tool's own form for many comparisons."""
    non_mated = {row["score"]: row["times"] for row in case["comparisons"] if not row["mated"]}
    _, fmr, _ = calculate_roc_hist([1], [non_mated[0.0], non_mated[1.0]])
    return "pyeer.eer_stats.calculate_roc_hist", {"fmr": fmr[1]}


def threshold(case):
    """The operating point FMR10 of the tool's report."""
    mated, non_mated = exchange.split(case)
    value = get_eer_stats(list(mated), list(non_mated)).fmr10_th
    return "pyeer.eer_info.get_eer_stats, fmr10_th", {"fmr": np.mean(non_mated >= value)}


if __name__ == "__main__":
    exchange.serve(
        ["pyeer", "numpy"],
        {"float32_counts": large, "rates": rates, "threshold": threshold},
        {
            "fmr_by_group": "knows no groups",
            "max_over_min": "knows no groups",
            "fmr_interval": "gives no intervals",
            "fmr_variance": "gives no variance",
            "fnmr_variance": "gives no variance",
            "number_of_comparisons": "takes listed scores, or a histogram through which it loops "
            "one step per comparison of the fullest bin",
            "": "takes two lists of scores, without images, persons or labels",
        },
    )
