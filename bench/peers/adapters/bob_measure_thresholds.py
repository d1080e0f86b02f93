"""bob.measure's thresholds at target FMRs on shared scores, and its rates there."""

import json
import sys
import time

import bob.measure
import numpy as np


def main():
    """For each data set and target: the threshold, both rates, and the seconds."""
    with open(sys.argv[1]) as file:
        task = json.load(file)
    bob.measure.far_threshold(np.array([0.1, 0.2]), np.array([0.3]), 0.5)
    found = []
    for path in task["data"]:
        data = np.load(path)
        for target in task["targets"]:
            started = time.perf_counter()
            value = bob.measure.far_threshold(data["non_mated"], data["mated"], target)
            seconds = time.perf_counter() - started
            fmr, fnmr = bob.measure.farfrr(data["non_mated"], data["mated"], value)
            row = {"threshold": value, "fmr": fmr, "fnmr": fnmr, "seconds": seconds}
            found.append({"data": path, "target": target, **row})
    with open(sys.argv[2], "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
