"""bob.bio.base from embeddings to false matches per pair of groups; runs in its own environment.

Scores stay in memory: the score file that the command-line tool would write is spared.
"""

import json
import resource
import sys
import time

import numpy as np
from bob.bio.base.algorithm import Distance
from bob.bio.base.pipelines import PipelineSimple
from bob.pipelines import Sample, SampleSet, wrap
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer


def unchanged(samples):
    """The embeddings are ready."""
    return samples


def sets(data):
    """One probe or reference an image, as the pipeline wants them."""
    made = []
    for n, vector in enumerate(data["vectors"]):
        about = {"subject_id": int(data["subject"][n]), "template_id": str(n), "key": str(n)}
        made.append(SampleSet([Sample(vector, **about)], **about, references=[]))
    return made


data = np.load(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
transformer = make_pipeline(wrap(["sample"], FunctionTransformer(unchanged)))
pipeline = PipelineSimple(transformer, Distance())
errors = np.zeros((8, 8), np.int64)
for probe in pipeline([], sets(data), sets(data), score_all_vs_all=True):
    for reference in probe:
        if probe.subject_id != reference.subject_id:
            # the default distance is cosine; its score is the similarity less 1
            accepted = float(np.ravel(reference.data)[0]) + 1 >= float(data["threshold"])
            errors[probe.subject_id % 8, reference.subject_id % 8] += accepted
seconds = time.perf_counter() - started
peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
print(json.dumps({"seconds": seconds, "peak": peak, "errors": errors.tolist()}))
