"""The shelf of recipes: which images of a manifest a matcher would be retrained on, how often each.

A recipe chooses rows and weighs them; the budget (steps, images per step) is the same for all, so
a recipe with fewer persons shows them more often. Persons, never single images, are chosen, but
where a disposal decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from frbench.errors import InputError
from frbench.values import UNLABELLED, Bools, Float64s, Int64s


@dataclass(frozen=True)
class Candidates:
    """The images that a recipe may choose from.

    Attributes:
        name: of the manifest.
        person: int64 [N], who is on each image.
        group: int64 [N], position in ``groups``; the same on all images of a person.
        groups: names, the unlabelled ones included.
        disposal: str [N], words of the data dictionary, or None where the manifest has none.
        population: group -> share of the population, or None where none was given.
    """

    name: str
    person: Int64s
    group: Int64s
    groups: tuple[str, ...]
    disposal: npt.NDArray[np.str_] | None = None
    population: Mapping[str, float] | None = None

    def persons(self) -> tuple[Int64s, Int64s]:
        """int64 [P] each: the persons, and the group of each."""
        who, first = np.unique(self.person, return_index=True)
        return who, self.group[first]

    def shares(self) -> Float64s:
        """float64 [G]: the population's shares; zero for the unlabelled.

        Raises:
            InputError: no population was given, or it says nothing of a group.
        """
        if self.population is None:
            raise InputError(
                f"the population of {self.name} is not known, which a recipe needs; give "
                "reference=population_file reference.path=FILE, or leave the recipe out"
            )
        absent = [
            name for name in self.groups if name != UNLABELLED and name not in self.population
        ]
        if absent:
            raise InputError(f"the population says nothing of {', '.join(absent)}; add its share")
        return np.array([self.population.get(name, 0.0) for name in self.groups])


@dataclass(frozen=True)
class Mixed:
    """What a recipe chose.

    Attributes:
        rows: int64 [M], rising positions among the candidates.
        weights: float64 [M], above zero; an image is drawn in proportion to it.
    """

    rows: Int64s
    weights: Float64s


class Mix(Protocol):
    """One recipe. ``source`` says whose images it takes: ``training_set`` or ``fresh_set``."""

    source: str

    def choose(self, candidates: Candidates, *, rng: np.random.Generator) -> Mixed:
        """The images and their weights. Raises InputError where nobody would be left."""
        ...


def evenly(rows: Int64s) -> Mixed:
    """The rows, each as likely as the other."""
    return Mixed(rows, np.ones(len(rows)))


def people(candidates: Candidates, quota: Sequence[int], rng: np.random.Generator) -> Bools:
    """bool [N]: the images of ``quota[g]`` persons of each group, drawn without replacement."""
    who, home = candidates.persons()
    chosen = [
        rng.choice(who[home == group], min(count, int((home == group).sum())), replace=False)
        for group, count in enumerate(quota)
    ]
    return np.isin(candidates.person, np.concatenate(chosen))


def counts(candidates: Candidates) -> Int64s:
    """int64 [G]: persons per group."""
    return np.bincount(candidates.persons()[1], minlength=len(candidates.groups))


def some(candidates: Candidates, kept: Bools, recipe: str) -> Int64s:
    """The kept rows; refuses a mix in which fewer than two persons are left."""
    rows = np.flatnonzero(kept)
    if len(np.unique(candidates.person[rows])) < 2:
        raise InputError(
            f"recipe {recipe} leaves fewer than two persons of {candidates.name}; leave it out "
            "with recipes=[…] or give a larger manifest"
        )
    return rows
