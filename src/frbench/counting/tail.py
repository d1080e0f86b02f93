"""The bounded list of the highest non-mated scores, with a floor that rises as it fills.

The final floor depends on ranks alone, never on the order in which scores arrive:

- v is the ``keep``-th highest of all scores (the lowest one if there are fewer);
- all scores >= v are kept, unless ties at v make that more than ``limit``; then those > v.

Both rules may be applied to any part of the scores on the way: a score below the ``keep``-th
highest of a part is below the ``keep``-th highest of the whole, and ties that are too many in a
part are too many in the whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from frbench.counting.compiled import compiled
from frbench.values import Float32s, Int32s, Int64s


class Tail:
    """Growing list of (first, second, score), trimmed to its highest scores.

    Args:
        keep: how many of the highest scores must be kept.
        limit: most that may be kept, ties included; ``keep <= limit``.
        guess: scores below it are not offered. It is a guess: see ``complete``.
        room: places at the start; the list is trimmed, then enlarged, when they are full.
    """

    def __init__(self, *, keep: int, limit: int, guess: float, room: int | None = None) -> None:
        if not 0 <= keep <= limit:
            raise ValueError(f"keep {keep} must lie between 0 and limit {limit}")
        self.keep = keep
        self.limit = limit
        self.guess = guess
        self.screen = guess
        self._trimmed = False
        self._size = 0
        room = room or keep + keep // 2 + 1024
        self._first = np.empty(room, np.int32)
        self._second = np.empty(room, np.int32)
        self._score = np.empty(room, np.float32)

    def __len__(self) -> int:
        return self._size

    def add(self, first: Int32s, second: Int32s, score: Float32s) -> None:
        """Take in comparisons; those below ``screen`` are dropped."""
        while True:
            # anew after each trimming, which raises the screen
            chosen = score >= np.float32(self.screen)
            if not chosen.all():
                first, second, score = first[chosen], second[chosen], score[chosen]
            if len(score) == 0:
                return
            if self._size == len(self._score):
                self._trim()
                if self._size > len(self._score) // 8 * 7:
                    self._grow()
                continue
            n = min(len(score), len(self._score) - self._size)
            place = slice(self._size, self._size + n)
            self._first[place], self._second[place] = first[:n], second[:n]
            self._score[place] = score[:n]
            self._size += n
            first, second, score = first[n:], second[n:], score[n:]

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that ``restore`` needs."""
        return {
            "first": self._first[: self._size],
            "second": self._second[: self._size],
            "score": self._score[: self._size],
            "guess": np.array(self.guess),
            "screen": np.array(self.screen),
            "trimmed": np.array(self._trimmed),
        }

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from an earlier ``state``."""
        self.guess = self.screen = float(state["guess"])
        self.add(state["first"], state["second"], state["score"])
        # adding may have trimmed further than the saved state was, never less far
        self.screen = max(self.screen, float(state["screen"]))
        self._trimmed = self._trimmed or bool(state["trimmed"])

    @property
    def complete(self) -> bool:
        """Whether the guess was low enough: every score that must be kept was offered."""
        return self._trimmed or self.guess == -math.inf or self._size >= self.keep

    def finish(self) -> tuple[Int32s, Int32s, Float32s, float]:
        """(first, second, score, floor), sorted by (first, second).

        The floor is -inf when every score ever made is in the list.
        """
        if self._trimmed or self.guess > -math.inf or self._size > self.keep:
            self._trim()
        kept = slice(0, self._size)
        order = _in_order(self._first[kept], self._second[kept])
        columns = (self._first[kept][order], self._second[kept][order], self._score[kept][order])
        return (*columns, self.screen)

    def _trim(self) -> None:
        if self._size < max(self.keep, 1):
            return
        score = self._score[: self._size]
        value = np.partition(score, self._size - self.keep)[self._size - self.keep]
        if int((score >= value).sum()) > self.limit:
            value = np.nextafter(value, np.float32(np.inf))
        self._raise_to(float(value))

    def _raise_to(self, value: float) -> None:
        chosen = np.flatnonzero(self._score[: self._size] >= np.float32(value))
        for column in (self._first, self._second, self._score):
            column[: len(chosen)] = column[chosen]
        self._size = len(chosen)
        self.screen = max(self.screen, value)
        self._trimmed = True

    def _grow(self) -> None:
        room = 2 * len(self._score)
        for name in ("_first", "_second", "_score"):
            old = getattr(self, name)
            new = np.empty(room, old.dtype)
            new[: self._size] = old[: self._size]
            setattr(self, name, new)


def _in_order(first: Int32s, second: Int32s) -> Int32s | Int64s:
    """The positions that sort the pairs by (first, second); no pair occurs twice."""
    largest = int(max(first.max(initial=0), second.max(initial=0)))
    if largest > 4 * len(first) + 1024:
        return np.lexsort((second, first))
    # the list may be long: positions take half the room where they fit
    position: Int32s | Int64s = np.arange(len(first), dtype=np.int64)
    if len(first) < 2**31:
        position = position.astype(np.int32)
    by_second, out = position.copy(), position
    _place(second, position, largest, by_second)
    _place(first, by_second, largest, out)
    return out


@compiled
def _place(key: Int32s, position: Int32s | Int64s, largest: int, out: Int32s | Int64s) -> None:
    """Sort ``position`` by ``key[position]`` from 0 to ``largest``; equal keys keep their order."""
    start = np.zeros(largest + 2, np.int64)
    for p in range(len(key)):
        start[key[p] + 1] += 1
    for value in range(largest + 1):
        start[value + 1] += start[value]
    for p in position:
        out[start[key[p]]] = p
        start[key[p]] += 1
