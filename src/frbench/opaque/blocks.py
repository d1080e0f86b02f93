"""Who may be compared with whom, and the comparisons of one cell in the order they are asked.

A *run* is the images of one person in one class. Which comparison comes t-th is a closed form of
t (``schedule``) after one random order of persons and one random start among each person's
images, so every single comparison is a uniform draw: two different persons, one image of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from frbench.opaque.schedule import pairs_across, pairs_within
from frbench.values import Bools, Int64s

Comparisons = tuple[Int64s, Int64s]
"""int64 [M] each: image numbers of first and second."""


@dataclass(frozen=True)
class Runs:
    """Images sorted by (class, person).

    Attributes:
        image: int64 [N], image numbers in that order.
        person, label, start, size: int64 [R], of each run; ``label`` is its class.
    """

    image: Int64s
    person: Int64s
    label: Int64s
    start: Int64s
    size: Int64s

    @classmethod
    def of(cls, subject: Int64s, label: Int64s, rng: np.random.Generator) -> Runs:
        """The runs of a set, the images of each run in a random order."""
        shuffled = rng.permutation(len(subject))
        image = shuffled[np.lexsort((subject[shuffled], label[shuffled]))]
        new = np.r_[True, np.diff(label[image]) != 0] | np.r_[True, np.diff(subject[image]) != 0]
        start = np.flatnonzero(new[: len(image)])
        size = np.diff(np.r_[start, len(image)])
        return cls(image, subject[image[start]], label[image[start]], start, size)

    def pick(self, run: Int64s, which: Int64s) -> Int64s:
        """The images at position ``which`` (taken modulo the size) of the runs."""
        return self.image[self.start[run] + which % self.size[run]]


@dataclass(frozen=True)
class Block:
    """The non-mated comparisons between the runs of one class, or of two.

    Attributes:
        runs: the set's runs.
        left: int64, run numbers in the order of play.
        right: the other class's run numbers, or None within one class.
        ways: 2 when both (probe, reference) orders of a pair are asked, else 1.
    """

    runs: Runs
    left: Int64s
    right: Int64s | None
    ways: int = 1

    @cached_property
    def edges(self) -> int:
        """Pairs of runs, those of one person with itself included."""
        n = len(self.left)
        return n * (n - 1) // 2 if self.right is None else n * len(self.right)

    @cached_property
    def shared(self) -> int:
        """Persons on both sides, who are not compared with themselves."""
        if self.right is None:
            return 0
        person = self.runs.person
        return len(np.intersect1d(person[self.left], person[self.right]))

    @property
    def person_pairs(self) -> int:
        """Pairs of different persons."""
        return self.edges - self.shared

    @cached_property
    def capacity(self) -> int:
        """How many comparisons there are."""
        size = self.runs.size
        own = size[self.left]
        if self.right is None:
            return self.ways * int(own.sum() ** 2 - (own**2).sum()) // 2
        person = self.runs.person
        _, one, other = np.intersect1d(
            person[self.left], person[self.right], return_indices=True, assume_unique=True
        )
        other_size = size[self.right]
        return self.ways * int(own.sum() * other_size.sum() - own[one] @ other_size[other])

    def draw(self, wanted: int) -> Comparisons:
        """The first ``wanted`` comparisons, at most ``capacity``."""
        t = np.arange(min(self.edges, wanted + self.shared), dtype=np.int64)
        n = np.full(len(t), len(self.left), dtype=np.int64)
        if self.right is None:
            one, other = pairs_within(n, t)
            first, second = self.left[one], self.left[other]
            used = (t // max(len(self.left) // 2, 1),) * 2
        else:
            m = np.full(len(t), len(self.right), dtype=np.int64)
            one, other = pairs_across(n, m, t)
            first, second = self.left[one], self.right[other]
            used = (t // n, t // m)
        size, person = self.runs.size, self.runs.person
        available = self.ways * size[first] * size[second] * (person[first] != person[second])
        edge, turn = turns(available, wanted)
        first, second = first[edge], second[edge]
        one, other = pairs_across(size[first], size[second], turn // self.ways)
        a = self.runs.pick(first, one + used[0][edge])
        b = self.runs.pick(second, other + used[1][edge])
        return _ordered(a, b, turn % self.ways == 1)


@dataclass(frozen=True)
class OwnBlock:
    """The mated comparisons of one cell: within each run, or between two runs of one person.

    Attributes:
        runs: the set's runs by (group, person).
        left, right: int64 [E], run numbers; equal within a run.
        ways: as in Block.
    """

    runs: Runs
    left: Int64s
    right: Int64s
    ways: int = 1

    @cached_property
    def _available(self) -> Int64s:
        one, other = self.runs.size[self.left], self.runs.size[self.right]
        inside = one * (one - 1) // 2
        return self.ways * np.where(self.left == self.right, inside, one * other)

    @property
    def capacity(self) -> int:
        """How many comparisons there are."""
        return int(self._available.sum())

    def draw(self, wanted: int) -> Comparisons:
        """The first ``wanted`` comparisons: one of every person, then a second of each, ..."""
        entry, turn = turns(self._available, wanted)
        left, right = self.left[entry], self.right[entry]
        inside, step = left == right, turn // self.ways
        one, other = np.empty_like(step), np.empty_like(step)
        size = self.runs.size
        one[inside], other[inside] = pairs_within(size[left[inside]], step[inside])
        across = pairs_across(size[left[~inside]], size[right[~inside]], step[~inside])
        one[~inside], other[~inside] = across
        a, b = self.runs.pick(left, one), self.runs.pick(right, other)
        return _ordered(a, b, turn % self.ways == 1)


def _ordered(a: Int64s, b: Int64s, swap: Bools) -> Comparisons:
    return np.where(swap, b, a), np.where(swap, a, b)


def turns(available: Int64s, wanted: int) -> tuple[Int64s, Int64s]:
    """Entry and turn of the first ``wanted`` uses: everyone's first, everyone's second, ...

    An entry drops out once its ``available`` uses are spent. Memory and time follow ``wanted``.

    >>> [part.tolist() for part in turns(np.array([2, 1, 3]), 5)]
    [[0, 1, 2, 0, 2], [0, 0, 0, 1, 1]]
    """
    deepest = level(available, wanted)
    count = np.minimum(available, deepest + 1)
    entry = np.repeat(np.arange(len(available), dtype=np.int64), count)
    turn = np.arange(len(entry), dtype=np.int64) - np.repeat(np.cumsum(count) - count, count)
    order = np.argsort(turn, kind="stable")[:wanted]
    return entry[order], turn[order]


def level(capacity: Int64s, total: int) -> int:
    """The largest L for which min(capacity, L), summed, is at most ``total``."""
    low, high = 0, int(capacity.max(initial=0))
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.minimum(capacity, middle).sum()) <= total:
            low = middle
        else:
            high = middle - 1
    return low


def interleave(blocks: Sequence[Block], wanted: int) -> Comparisons:
    """The first ``wanted`` comparisons of several blocks, each in step with its pairs of persons.

    Position t of a block comes at (t + 1/2) / its pairs of persons, Webster's rule, so that any
    prefix is self-weighting: a pair of persons is as likely to be asked in one block as another.
    """
    sizes = [min(block.capacity, wanted) for block in blocks]
    when = [
        (np.arange(size) + 0.5) / max(block.person_pairs, 1)
        for size, block in zip(sizes, blocks, strict=True)
    ]
    owner = np.repeat(np.arange(len(blocks)), sizes)
    owner = owner[np.argsort(np.concatenate([np.zeros(0), *when]), kind="stable")[:wanted]]
    first, second = np.empty(len(owner), np.int64), np.empty(len(owner), np.int64)
    for number, block in enumerate(blocks):
        mine = owner == number
        first[mine], second[mine] = block.draw(int(mine.sum()))
    return first, second
