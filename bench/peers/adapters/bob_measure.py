"""bob.measure answers the conformance cases; score lists in, no groups, no persons."""

import bob.measure
import bob.measure.utils
import exchange


def rates(case):
    """The two calls that ``bob measure metrics`` makes on each score file."""
    mated, non_mated = exchange.split(case)
    (negatives, positives), failures = bob.measure.utils.get_fta((non_mated, mated))
    fmr, fnmr = bob.measure.farfrr(negatives, positives, case["threshold"])
    answer = {"fmr": fmr, "fnmr": fnmr}
    if failures:
        answer["failed"] = round(failures * (len(mated) + len(non_mated)))
    return "bob.measure.utils.get_fta, bob.measure.farfrr", answer


def threshold(case):
    """The threshold at a target, and the FMR under bob's own decision rule (>=)."""
    mated, non_mated = exchange.split(case)
    value = bob.measure.far_threshold(non_mated, mated, case["target_fmr"])
    return "bob.measure.far_threshold", {"fmr": bob.measure.farfrr(non_mated, mated, value)[0]}


def interval(case):
    """Clopper and Pearson's interval for the count of false matches."""
    _, non_mated = exchange.split(case)
    errors = int((non_mated >= case["threshold"]).sum())
    low, high = bob.measure.utils.confidence_for_indicator_variable(errors, len(non_mated))
    return "bob.measure.utils.confidence_for_indicator_variable", {"low": low, "high": high}


if __name__ == "__main__":
    exchange.serve(
        ["bob.measure", "numpy", "scipy", "numba"],
        {"rates": rates, "threshold": threshold, "fmr_interval": interval},
        {
            "fmr_by_group": "knows no groups; the caller splits the scores",
            "max_over_min": "knows no groups",
            "fmr_variance": "intervals take comparisons as independent; no variance by person",
            "": "takes two lists of scores, without images, persons or labels",
        },
    )
