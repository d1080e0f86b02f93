"""Run folders of small worlds, written with the writers that frbench uses, without an engine."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np

from frbench.gaps import differentials
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.measures.max_min_ratio import MaxMinRatio
from frbench.rates import error_rates
from frbench.runs import artefact_hashes, threshold_row, write_json, write_table, write_tally
from frbench.values import Threshold

CONFIG = {
    "benchmark": {"_target_": "frbench.benchmarks.manifest.ManifestBenchmark", "path": "faces.csv"},
    "groups": {"by": ["sex"], "levels": {}},
    "matcher": {"_target_": "frbench.matchers.embeddings.StoredEmbeddings", "path": "m.npz"},
    "before": {},
    "operating_point": {"target_fmr": [0.01], "calibration": {"share": None}},
    "rules": {"gap": {"_target_": "frbench.rules.gap_exceeds.GapExceeds", "limit": 1.5}},
    "seed": 1,
    "output": "runs/a",
    "cache": "cache",
    "gate": "none",
}


def target(value, rate=0.01, **more):
    """A threshold chosen on the set for a target rate."""
    return Threshold(value, "target_fmr", rate, rate, 0, 0, "a world", **more)


def changed(config, key, value):
    """A copy of the configuration with one key, dots for nodes, set to a value."""
    copied = copy.deepcopy(config)
    node = copied
    *path, last = key.split(".")
    for step in path:
        node = node[step]
    node[last] = value
    return copied


def run_folder(folder, tally, thresholds, *, matcher="m", config=CONFIG, labels="l", **record):
    """A run folder of one matcher on the tally; keywords overwrite parts of the record."""
    folder.mkdir(parents=True)
    rates = error_rates(
        tally,
        thresholds,
        WilsonEffective(),
        matcher=matcher,
        benchmark="world",
        rng=np.random.default_rng(0),
    )
    gaps = differentials(
        tally,
        thresholds,
        rates,
        {"max_min_ratio": MaxMinRatio()},
        WilsonEffective(),
        rng=np.random.default_rng(0),
    )
    write_table(folder, "rates", rates)
    write_table(folder, "gaps", gaps)
    write_tally(folder / "tally", tally)
    write_json(folder / "findings.json", [])
    content = {
        "schema_version": 1,
        "run_id": folder.name,
        "verb": "evaluate",
        "finished": "2026-11-23T10:00:00+00:00",
        "config": config,
        "overrides": [],
        "seed": 1,
        "device": "cpu",
        "code": {"revision": "0" * 40, "dirty": False},
        "packages": {"numpy": "2"},
        "machine": {"python": "3.11"},
        "benchmark": {
            "name": "world",
            "labels_sha256": labels,
            "synthetic": True,
            "groups": list(tally.groups),
        },
        "matchers": [{"arm": "", "name": matcher, "fingerprint": matcher}],
        "thresholds": [threshold_row("", each) for each in thresholds],
        **record,
    }
    write_json(folder / "run.json", {**content, "artefacts": artefact_hashes(folder)})
    return folder


def regrouped(tally, groups):
    """The tally under other names of its groups."""
    return dataclasses.replace(tally, groups=tuple(groups))
