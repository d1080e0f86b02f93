"""A network is trained every round on rendered faces in the round's shares; nobody is real."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from frbench.digests import digest_bytes
from frbench.errors import InputError
from frbench.learners import Start
from frbench.values import Float32s, Float64s, Int64s

GROUPS = ("lighter", "darker")
"""Skin tones of the rendered people: the groups of a simulation that trains."""


class Rendered:
    """Fine-tunes frbench's tiny network on as many rendered people of each group as the shares say.

    The network's rates within groups, at one threshold for all, are set beside those after training
    on the shares of the start: the rates of the simulation's start move by that factor.

    Args:
        people: persons of each training, of both groups together.
        images: of each person.
        test_people: persons of the fixed test set per rendered kind (there are eight).
        steps, batch: what each training may spend.
        target_fmr: of all comparisons of the test set, at which the threshold stands.
        cache: where pictures and trained weights are kept.
    """

    def __init__(
        self,
        *,
        people: int = 80,
        images: int = 5,
        test_people: int = 20,
        steps: int = 100,
        batch: int = 32,
        target_fmr: float = 0.01,
        cache: str | Path | None = None,
    ) -> None:
        if people < 8 or images < 2 or test_people < 2:
            raise ValueError("a training needs 8 people, 2 images each, and 2 test people a kind")
        if not 0 < target_fmr < 1:
            raise ValueError(f"target_fmr={target_fmr} must lie between 0 and 1")
        self.people, self.images, self.test_people = people, images, test_people
        self.steps, self.batch, self.target_fmr = steps, batch, target_fmr
        self.cache = Path(
            cache or os.environ.get("FRBENCH_CACHE") or "~/.cache/frbench"
        ).expanduser()
        self.stated = "that the network answers to its training as on rendered faces"

    def said(self) -> str:
        """For the page."""
        return (
            f"a network trained each round on {self.people} rendered people, {self.steps} steps; "
            "synthetic faces, no real person"
        )

    def begin(self, start: Start, *, seeds: int, rng: np.random.Generator) -> Networks:
        """One network per seed, trained on the shares of the start.

        Raises:
            InputError: groups other than those that can be rendered.
        """
        if set(start.groups) != set(GROUPS):
            raise InputError(
                f"learner=rendered knows the groups {', '.join(GROUPS)}, not "
                f"{', '.join(start.groups)}; state rates and residents for them."
            )
        return Networks(self, start, seeds)


@dataclass(frozen=True)
class _Faces:
    """Rendered faces: uint8 [N, S, S, 3], position of the group, and the person on each."""

    faces: Any
    group: Int64s
    person: Int64s


class Networks:
    """The trained networks; the same shares and seed give the same weights, kept in the cache."""

    def __init__(self, told: Rendered, start: Start, seeds: int) -> None:
        # networks are loaded only by those who train them
        from frbench.matchers.tiny import TinyMatcher
        from frbench.training import starting_vectors

        self._told, self._start = told, start
        self._base = TinyMatcher()
        per_kind = -(-told.people // 4)
        self._pool = self._faces(per_kind, told.images, seed=101)
        self._test = self._faces(told.test_people, 3, seed=202)
        self._vectors = starting_vectors(self._base, self._pool.faces)
        self._digest = digest_bytes(np.ascontiguousarray(self._pool.faces).tobytes())
        first = np.tile(start.shares, (seeds, 1))
        self._first = self._measured(first)

    def fmr(self, shares: Float64s) -> Float64s:
        """float64 [S, G]: the rates of the start times what the networks' rates have moved by."""
        return np.minimum(self._start.fmr * self._measured(shares) / self._first, 1.0)

    def _measured(self, shares: Float64s) -> Float64s:
        return np.stack([self._one(each, seed) for seed, each in enumerate(shares)])

    def _one(self, shares: Float64s, seed: int) -> Float64s:
        from frbench.training import Budget, TrainingImages, fine_tune

        rows = self._chosen(shares, seed)
        images = TrainingImages(
            faces=self._pool.faces,
            vectors=self._vectors,
            rows=rows,
            person=self._pool.person[rows],
            weights=np.ones(len(rows)),
            digest=self._digest,
        )
        budget = Budget(
            steps=self._told.steps,
            batch=self._told.batch,
            checkpoint_every=self._told.steps,
        )
        kept = self._told.cache / "simulate"
        trained = fine_tune(self._base, images, budget, seed=seed, folder=kept)
        vectors = self._base.retrained(trained.path).embed(self._test.faces)
        return group_rates(
            vectors, self._test.group, self._test.person, self._told.target_fmr, len(shares)
        )

    def _chosen(self, shares: Float64s, seed: int) -> Int64s:
        """Rows of the pool: persons by group in these shares, at least one of each."""
        rng = np.random.default_rng([seed, 77])
        rows = []
        for at, share in enumerate(shares):
            there = rng.permutation(np.unique(self._pool.person[self._pool.group == at]))
            number = min(max(round(float(share) * self._told.people), 1), len(there))
            rows.append(np.flatnonzero(np.isin(self._pool.person, there[:number])))
        return np.concatenate(rows)

    def _faces(self, people: int, images: int, *, seed: int) -> _Faces:
        from frbench.benchmarks.synthetic import SyntheticBenchmark

        found = SyntheticBenchmark(
            people_per_group=people, images_per_person=images, seed=seed, cache=self._told.cache
        ).load()
        size = self._base.preprocess.input_size
        pictures = [
            np.asarray(Image.open(found.root / path).convert("RGB").resize((size, size)))
            for path in found.faces["path"]
        ]
        group = found.faces["label_skin_tone"].map(list(self._start.groups).index)
        person = pd.factorize(found.faces["subject_id"])[0]
        return _Faces(np.stack(pictures), group.to_numpy(np.int64), person.astype(np.int64))


def group_rates(
    vectors: Float32s, group: Int64s, person: Int64s, target: float, groups: int
) -> Float64s:
    """float64 [G]: FMR within each group at the threshold of ``target`` over all comparisons.

    (errors + ½) / (comparisons + 1), so that a group without errors keeps a rate.
    """
    first, second = np.triu_indices(len(vectors), 1)
    other = person[first] != person[second]
    first, second = first[other], second[other]
    scores = np.einsum("nd,nd->n", vectors[first], vectors[second])
    threshold = np.quantile(scores, 1 - target)
    within = group[first] == group[second]
    own = group[first][within]
    errors = np.bincount(own, weights=scores[within] > threshold, minlength=groups)
    return np.asarray((errors + 0.5) / (np.bincount(own, minlength=groups) + 1.0))
