"""bob.measure's thresholds at target FMRs on shared scores, and its rates at ours."""

import json
import sys

import bob.measure
import numpy as np


def main():
    """For each data set and target: bob's threshold, and bob's rates at ours."""
    with open(sys.argv[1]) as file:
        task = json.load(file)
    found = []
    for path in task["data"]:
        data = np.load(path)
        for target, ours in zip(task["targets"], task["ours"][path], strict=True):
            value = bob.measure.far_threshold(data["non_mated"], data["mated"], target)
            fmr, fnmr = bob.measure.farfrr(data["non_mated"], data["mated"], ours)
            row = {"threshold": value, "fmr_at_ours": fmr, "fnmr_at_ours": fnmr}
            found.append({"data": path, "target": target, **row})
    with open(sys.argv[2], "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
