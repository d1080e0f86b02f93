"""Small labelled sets for 1:N search, and the search itself as plain loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from frbench.counting.score import scores
from frbench.values import EmbeddingSet, ScoredPairs, ScoreTally


def faces_of(subject, group, groups):
    """FaceTable with one image per entry: person codes and group codes."""
    names = [groups[k] for k in group]
    return pd.DataFrame(
        {
            "image_id": [f"i{n:04d}" for n in range(len(subject))],
            "subject_id": [f"s{k:04d}" for k in subject],
            "path": [f"{n}.png" for n in range(len(subject))],
            "group": pd.Categorical(names, categories=list(groups)),
        }
    )


def templates(vectors, enrolled=None):
    """EmbeddingSet of the given vectors; rows of failed images are zero, as the contract says."""
    table = np.ascontiguousarray(vectors, dtype=np.float32)
    good = np.ones(len(table), dtype=bool) if enrolled is None else np.asarray(enrolled)
    return EmbeddingSet(
        vectors=np.where(good[:, None], table, np.float32(0)),
        enrolled=good,
        failure=np.where(good, "", "no face found").astype(str),
        image_id=np.array([f"i{n:04d}" for n in range(len(table))]),
        matcher="synthetic vectors",
        fingerprint="synthetic",
    )


def unit(vectors):
    """float32 [N, D], each row scaled to length one."""
    table = np.asarray(vectors, dtype=np.float64)
    return (table / np.linalg.norm(table, axis=1, keepdims=True)).astype(np.float32)


def score_table(vectors):
    """float32 [N, N]: the score of every comparison by the definition."""
    n = len(vectors.enrolled)
    first, second = (part.reshape(-1) for part in np.indices((n, n)))
    return scores(vectors.vectors, first, second).reshape(n, n)


def searched_by_hand(table, enrolled, subject, references, probe, rank):
    """[(score, row)] of one search, from all scores: each person's best image, cut at the rank."""
    if not enrolled[probe]:
        return []
    best = {}
    for row in references:
        if not enrolled[row]:
            continue
        offer = (-float(table[probe, row]), int(row))
        if subject[row] not in best or offer < best[subject[row]]:
            best[subject[row]] = offer
    return [(-negative, row) for negative, row in sorted(best.values())][:rank]


def messy_set(rng, *, persons=9, groups=3, dimensions=6):
    """(faces, EmbeddingSet): ties, near ties, duplicates, failures, an absent group, loners."""
    subject = np.repeat(np.arange(persons), rng.integers(1, 5, size=persons))
    n = len(subject)
    group = rng.integers(0, groups, persons)[subject]
    moved = rng.random(n) < 0.15
    group = np.where(moved, rng.integers(0, groups, n), group)
    own = rng.integers(-1, 2, size=(persons, dimensions))[subject]
    vectors = own + rng.integers(-1, 2, size=(n, dimensions)) * (rng.random((n, 1)) < 0.5)
    vectors = vectors + (np.abs(vectors).sum(axis=1, keepdims=True) == 0)
    vectors = unit(vectors).astype(np.float64)
    if rng.random() < 0.5:
        # near ties: differences about the size of float32's rounding
        vectors *= 1 + rng.integers(-3, 4, size=(n, dimensions)) * 2.0**-24
    names = [f"g{k}" for k in range(groups + 1)]
    order = rng.permutation(n)
    faces = faces_of(subject[order], group[order], names)
    return faces, templates(vectors[order], rng.random(n) < 0.85)


def all_pairs_tally(vectors, faces):
    """ScoreTally of every unordered pair of images, without the engine."""
    first, second = np.triu_indices(len(faces), 1)
    subject = np.unique(faces["subject_id"], return_inverse=True)[1].reshape(-1)
    both = vectors.enrolled[first] & vectors.enrolled[second]
    first, second = first[both].astype(np.int32), second[both].astype(np.int32)
    pairs = ScoredPairs(first, second, scores(vectors.vectors, first, second))
    mated = subject[first] == subject[second]
    return ScoreTally(
        groups=tuple(faces["group"].cat.categories),
        subject=subject.astype(np.int32),
        group=np.asarray(faces["group"].cat.codes, np.int16),
        stratum=np.zeros(len(faces), np.int16),
        enrolled=vectors.enrolled,
        mated=pairs.take(mated),
        tail=pairs.take(~mated),
        floor=-np.inf,
    )


def independent_world(rng, dimensions, persons):
    """(faces, templates): each group uniform on a sphere of its own dimension, groups orthogonal.

    Given a probe, its comparisons are independent draws of one distribution, whoever it is: the
    binomial model holds exactly, and ``sphere_fmr`` is the false-match rate within a group.
    """
    width = sum(dimensions)
    blocks, begin = [], 0
    for size in dimensions:
        block = np.zeros((persons, width))
        block[:, begin : begin + size] = rng.normal(size=(persons, size))
        blocks.append(block)
        begin += size
    group = np.repeat(np.arange(len(dimensions)), persons)
    names = [f"sphere of {size}" for size in dimensions]
    faces = faces_of(np.arange(len(group)), group, names)
    return faces, templates(unit(np.concatenate(blocks)))


def sphere_fmr(threshold, dimension):
    """Chance that two uniform points on the unit sphere have a cosine of at least ``threshold``."""
    return special.betainc((dimension - 1) / 2, 0.5, 1 - threshold**2) / 2


def lambs_world(rng, *, persons, dimension=24):
    """(faces, templates): in "uneven" some people resemble everybody, in "even" nobody does."""
    middle = unit(rng.normal(size=(1, dimension)))
    own = unit(rng.normal(size=(2 * persons, dimension)))
    pull = np.r_[np.zeros(persons), 1.6 * (rng.random(persons) < 0.15)]
    group = np.repeat([0, 1], persons)
    faces = faces_of(np.arange(2 * persons), group, ["even", "uneven"])
    return faces, templates(unit(own + pull[:, None] * middle))
