"""bob.bio.base answers the cases with templates or with identifiers; rates are bob.measure's."""

import csv
import os
import tempfile

import exchange
import numpy as np
from bob.bio.base.algorithm import Distance
from bob.bio.base.pipelines import PipelineSimple
from bob.bio.base.score.load import split_csv_scores
from bob.pipelines import Sample, SampleSet, wrap
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

PIPELINE = "bob.bio.base.pipelines.PipelineSimple with Distance()"


def _samplesets(case):
    made = []
    for row in case["templates"]:
        data = None if row["vector"] is None else np.array(row["vector"], dtype=float)
        about = {"subject_id": row["subject"], "template_id": row["image"], "key": row["image"]}
        sample = Sample(data, **about)
        made.append(SampleSet([sample], **about, references=[]))
    return made


def unchanged(samples):
    """The templates are ready; the pipeline wants a step with a name."""
    return samples


def _scores(case):
    transformer = make_pipeline(wrap(["sample"], FunctionTransformer(unchanged)))
    pipeline = PipelineSimple(transformer, Distance())
    return pipeline([], _samplesets(case), _samplesets(case), score_all_vs_all=True)


def all_pairs(case):
    """Rates of the pipeline's scores, cosine similarity being the score plus 1."""
    mated, non_mated = [], []
    for probe in _scores(case):
        for reference in probe:
            same = probe.subject_id == reference.subject_id
            (mated if same else non_mated).append(reference.data + 1)
    fmr = np.mean(np.array(non_mated) >= case["threshold"])
    return PIPELINE, {"fmr": fmr, "fnmr": np.mean(np.array(mated) < case["threshold"])}


def all_pairs_counts(case):
    """How many scores of the pipeline belong to one person."""
    return PIPELINE, {
        "mated": sum(
            probe.subject_id == reference.subject_id
            for probe in _scores(case)
            for reference in probe
        )
    }


def listed_counts(case):
    """How many non-mated scores come out of a score file in bob's own CSV format."""
    names = ["probe_subject_id", "probe_template_id", "bio_ref_subject_id", "bio_ref_template_id"]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "scores.csv")
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*names, "score"])
            for row in case["comparisons"]:
                probe, reference = row["probe"], row["reference"]
                ids = [row["probe_subject"], probe, row["reference_subject"], reference]
                writer.writerow([*ids, row["score"]])
        negatives, _ = split_csv_scores(path)
    return "bob.bio.base.score.load.split_csv_scores", {"non_mated": len(negatives)}


if __name__ == "__main__":
    exchange.serve(
        ["bob.bio.base", "bob.measure", "numpy", "scikit-learn"],
        {
            "all_pairs": all_pairs,
            "all_pairs_counts": all_pairs_counts,
            "listed_counts": listed_counts,
        },
        {
            "listed_groups": "a score file carries labels through, unread",
            "": "makes and reads scores; what is computed from them is bob.measure's",
        },
    )
