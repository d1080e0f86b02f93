"""Small random sets for the engine, and the double loop that it must agree with."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd

from frbench.values import EmbeddingSet, Floats

GROUPS = ("A", "B", "absent", "unlabelled")


def score_by_hand(x: Floats, y: Floats) -> np.float32:
    """The definition of a score, spelled out: 16 lanes in float64, added pairwise, then float32."""
    lanes = [0.0] * 16
    for k in range(len(x)):
        lanes[k % 16] += float(x[k]) * float(y[k])
    for width in (8, 4, 2, 1):
        lanes = [lanes[i] + lanes[i + width] for i in range(width)]
    return np.float32(lanes[0])


@dataclass(frozen=True)
class World:
    """A set of templates with its faces."""

    embedded: EmbeddingSet
    faces: pd.DataFrame

    def rows(self, chosen: np.ndarray) -> World:
        """The same world with its images in another order, or a part of them."""
        e = self.embedded
        taken = EmbeddingSet(
            e.vectors[chosen],
            e.enrolled[chosen],
            e.failure[chosen],
            e.image_id[chosen],
            e.matcher,
            e.fingerprint,
        )
        return World(taken, self.faces.iloc[chosen].reset_index(drop=True))


def world(
    seed: int, *, images: int = 40, subjects: int = 15, dimensions: int = 24, spread: float = 1.0
) -> World:
    """Templates with duplicates (ties), failures, unlabelled images and one empty group.

    Args:
        seed: of every draw.
        images, subjects, dimensions: sizes.
        spread: how far templates lie from a common direction; small for a tight cluster.
    """
    rng = np.random.default_rng(seed)
    x = spread * rng.standard_normal((images, dimensions)) + rng.standard_normal(dimensions)
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    # some templates twice: scores tie exactly, mated and non-mated
    copies = rng.random(images) < 0.3
    x[copies] = x[rng.integers(0, images, int(copies.sum()))]
    enrolled = rng.random(images) > 0.1
    x[~enrolled] = 0.0
    subject = rng.integers(0, subjects, images)
    sex = np.array(["f", "m", None], dtype=object)[rng.choice(3, subjects, p=[0.5, 0.4, 0.1])]
    band = np.array(["young", "old"])[rng.integers(0, 2, images)]
    group = np.array(GROUPS)[rng.choice([0, 1, 3], subjects)][subject]
    faces = pd.DataFrame(
        {
            "image_id": [f"i{n}" for n in range(images)],
            "subject_id": [f"s{n}" for n in subject],
            "path": "",
            "label_sex": sex[subject],
            "label_age_band": band,
            "group": pd.Categorical(group, categories=GROUPS),
        }
    )
    embedded = EmbeddingSet(
        x, enrolled, np.where(enrolled, "", "no face"), faces["image_id"].to_numpy(str), "m", "f"
    )
    return World(embedded, faces)


@dataclass(frozen=True)
class Truth:
    """What the double loop finds: (first, second, score) of all completed comparisons."""

    mated: list[tuple[int, int, float]]
    non_mated: list[tuple[int, int, float]]


def double_loop(w: World, same: tuple[str, ...] = (), probes: int | None = None) -> Truth:
    """Every comparison, one by one, in plain Python."""
    subject, x, ok = w.faces["subject_id"], w.embedded.vectors, w.embedded.enrolled
    strata = [
        tuple("" if pd.isna(w.faces[f"label_{c}"][i]) else w.faces[f"label_{c}"][i] for c in same)
        for i in range(len(x))
    ]
    truth = Truth([], [])
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            if not (ok[i] and ok[j]) or (probes is not None and not i < probes <= j):
                continue
            if subject[i] == subject[j]:
                truth.mated.append((i, j, float(score_by_hand(x[i], x[j]))))
            elif strata[i] == strata[j]:
                truth.non_mated.append((i, j, float(score_by_hand(x[i], x[j]))))
    return truth


def highest(truth: Truth, keep_fmr: float | None, limit: int) -> tuple[list, float]:
    """Tail and floor by sorting everything; ``keep_fmr`` None keeps all."""
    scores = sorted((s for *_, s in truth.non_mated), reverse=True)
    keep = len(scores)
    if keep_fmr is not None:
        keep = min(int(Fraction(repr(keep_fmr)) * len(scores)) + 1, keep)
    keep = min(keep, limit)
    if keep == len(scores):
        return truth.non_mated, -np.inf
    floor = scores[keep - 1]
    if sum(s >= floor for s in scores) > limit:
        floor = float(np.nextafter(np.float32(floor), np.float32(np.inf)))
    return [pair for pair in truth.non_mated if pair[2] >= floor], floor
