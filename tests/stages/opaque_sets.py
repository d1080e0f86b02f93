"""Small sets and black boxes for the tests of opaque comparators."""

from __future__ import annotations

import numpy as np
import pandas as pd

from frbench.values import EmbeddingSet


def faces_of(subject, group, groups):
    """A FaceTable with the columns that planning reads."""
    names = [f"g{k}" for k in range(groups)]
    return pd.DataFrame(
        {
            "subject_id": [f"s{k}" for k in subject],
            "group": pd.Categorical.from_codes(np.asarray(group), names),
        }
    )


def even_faces(persons, images, groups=1):
    """``persons`` per group with ``images`` each."""
    subject = np.repeat(np.arange(persons * groups), images)
    return faces_of(subject, subject // persons, groups)


def messy_faces(rng, *, persons=8, images=4, groups=3, spread=False):
    """Uneven persons; with ``spread`` a person's images lie in several groups; one group absent."""
    subject = np.repeat(np.arange(persons), rng.integers(1, images + 1, persons))
    group = rng.integers(0, groups, persons)[subject]
    if spread:
        group = np.where(
            rng.random(len(subject)) < 0.4, rng.integers(0, groups, len(subject)), group
        )
    return faces_of(subject, group, groups + 1)


def embeddings_of(rng, faces, *, dimensions=16, failing=0.1):
    """Unit vectors round a centre per person, some failing to enrol."""
    subject = pd.factorize(faces["subject_id"])[0]
    centre = rng.normal(size=(subject.max() + 1, dimensions))
    vectors = centre[subject] + 0.6 * rng.normal(size=(len(subject), dimensions))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    enrolled = rng.random(len(subject)) >= failing
    vectors[~enrolled] = 0.0
    names = np.array([str(k) for k in range(len(subject))])
    return EmbeddingSet(
        vectors.astype(np.float32), enrolled, np.where(enrolled, "", "no face"), names, "test", ""
    )


class Told:
    """A black box whose template is the image's number and whose scores come from a matrix."""

    name = "told"

    def __init__(self, scores):
        self.scores = np.asarray(scores)
        self.calls = 0

    def blobs(self):
        """A template per image."""
        return [str(k).encode() for k in range(len(self.scores))]

    def compare(self, probe, references):
        """Looks the scores up."""
        self.calls += 1
        return [float(self.scores[int(probe), int(other)]) for other in references]

    def identity(self):
        """Nothing but the name."""
        return {"comparator": self.name}
