"""fairlearn's MetricFrame on scored comparisons; runs in fairlearn's own environment."""

import json
import sys
import time

import numpy as np
from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate

data = np.load(sys.argv[1])
started = time.perf_counter()
frame = MetricFrame(
    metrics={"fmr": false_positive_rate, "fnmr": false_negative_rate},
    y_true=data["mated"],
    y_pred=data["score"] >= float(data["threshold"]),
    sensitive_features=data["cell"],
)
table = frame.by_group.sort_index()
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "rates": table[["fmr", "fnmr"]].to_numpy().tolist()}))
