"""Embeddings to rates by pair of groups with bob.bio.base, timed, and its memory measured.

bob has no rates by group: its scores are read back and split by the masks of the cells here.
"""

import json
import os
import sys
import tempfile
import time
import warnings

import memory
import numpy as np
import pandas as pd
from bob.bio.base.algorithm import Distance
from bob.bio.base.pipelines import CSVScoreWriter, PipelineSimple
from bob.measure import far_threshold, farfrr
from bob.pipelines import Sample, SampleSet, wrap
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer


def unchanged(samples):
    """The templates are ready; the pipeline wants a step with a name."""
    return samples


def samplesets(vectors, subject, group):
    """One set of one sample for each template."""
    made = []
    for number, vector in enumerate(vectors):
        about = {
            "subject_id": int(subject[number]),
            "template_id": number,
            "group": int(group[number]),
        }
        made.append(SampleSet([Sample(vector, key=str(number), **about)], **about, references=[]))
    return made


def written(pipeline, scores, folder):
    """The scores, through bob's CSV file, as a frame."""
    path = os.path.join(folder, "all", "scores.csv")
    pipeline.post_process(pipeline.write_scores(scores), path)
    wanted = [f"{side}_{name}" for side in ("probe", "bio_ref") for name in NAMES]
    return pd.read_csv(path, usecols=[*wanted, "score"])


NAMES = ("subject_id", "template_id", "group")


def held(scores):
    """The scores, without a file, as a frame."""
    rows = [
        (p.subject_id, p.template_id, p.group, r.subject_id, r.template_id, r.group, r.data)
        for p in scores
        for r in p
    ]
    names = [f"{side}_{name}" for side in ("probe", "bio_ref") for name in NAMES]
    return pd.DataFrame(rows, columns=[*names, "score"])


def rates(table, target):
    """Threshold, and false matches and comparisons by pair of groups, each pair of images once."""
    table = table[table["probe_template_id"] < table["bio_ref_template_id"]]
    same = (table["probe_subject_id"] == table["bio_ref_subject_id"]).to_numpy()
    score = table["score"].to_numpy()
    threshold = far_threshold(score[~same], score[same], target)
    groups = np.sort(table[["probe_group", "bio_ref_group"]].to_numpy(), axis=1)
    cell = groups[:, 0] * 1000 + groups[:, 1]
    found = {}
    for code in np.unique(cell[~same]):
        negatives = score[~same & (cell == code)]
        fmr, _ = farfrr(negatives, score[same], threshold)
        found[f"{code // 1000}-{code % 1000}"] = [round(fmr * len(negatives)), len(negatives)]
    return found


def main():
    """Every repetition from templates in memory to rates."""
    with open(sys.argv[1]) as file:
        task = json.load(file)
    data = np.load(task["data"])
    arrays = {name: data[name] for name in ("vectors", "subject", "group")}
    farfrr(np.array([0.1, 0.2]), np.array([0.3]), 0.15)
    far_threshold(np.array([0.1, 0.2]), np.array([0.3]), 0.5)
    before, _ = memory.resident()
    seconds, found = [], {}
    for _ in range(task["repeats"]):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            transformer = make_pipeline(wrap(["sample"], FunctionTransformer(unchanged)))
            writer = CSVScoreWriter(folder)
            pipeline = PipelineSimple(transformer, Distance(), score_writer=writer)
            sets = [samplesets(**arrays), samplesets(**arrays)]
            scores = pipeline([], *sets, score_all_vs_all=True)
            table = written(pipeline, scores, folder) if task["file"] else held(scores)
            found = rates(table, task["target"])
            seconds.append(time.perf_counter() - started)
            del scores, table
    _, peak = memory.resident()
    with open(sys.argv[2], "w") as file:
        json.dump({"seconds": seconds, "before": before, "peak": peak, "cells": found}, file)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
