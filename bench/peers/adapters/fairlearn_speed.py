"""Decisions on scored comparisons to rates by cell with fairlearn, timed."""

import json
import sys
import time

import numpy as np
from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate


def main():
    """Every repetition from scores to both rates of every cell."""
    with open(sys.argv[1]) as file:
        task = json.load(file)
    data = np.load(task["data"])
    score, cell, truth = data["score"], data["cell"], data["mated"].astype(np.int64)
    seconds, table = [], None
    for _ in range(task["repeats"]):
        started = time.perf_counter()
        decided = (score >= task["threshold"]).astype(np.int64)
        metrics = {"fmr": false_positive_rate, "fnmr": false_negative_rate}
        frame = MetricFrame(metrics=metrics, y_true=truth, y_pred=decided, sensitive_features=cell)
        table = frame.by_group
        seconds.append(time.perf_counter() - started)
    rates = {name: table[name].tolist() for name in ("fmr", "fnmr")}
    with open(sys.argv[2], "w") as file:
        json.dump({"seconds": seconds, "cells": table.index.tolist(), **rates}, file)


if __name__ == "__main__":
    main()
