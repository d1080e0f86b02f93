"""Asking a comparator that may be slow, wrong, or broken, without ever waiting for ever."""

from __future__ import annotations

import itertools
import math
import queue
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from frbench.errors import InputError
from frbench.opaque.comparator import Comparator
from frbench.values import Float64s, Int64s

Blobs = Sequence[bytes | None]
"""A template per image; None where it failed to enrol."""

_IN_A_ROW = 10
"""Calls that may fail one after the other before the comparator is taken for dead."""


class OutOfCalls(Exception):
    """The allowed number of calls is spent."""


@dataclass
class Asker:
    """Asks for scores, probe by probe, and counts what went wrong.

    Attributes:
        comparator: the black box.
        probes, references: templates by image number, in each role.
        batch: references per call at most.
        retries: times a call that raised is repeated before its batch is halved; a single
            comparison that still raises is a failed one.
        patience: seconds that one call may take; ``inf`` calls without the watching thread.
        max_calls: calls in all, or None.
        calls: made so far.
        failures: failed comparisons by reason.
    """

    comparator: Comparator
    probes: Blobs
    references: Blobs
    batch: int = 256
    retries: int = 2
    patience: float = 300.0
    max_calls: int | None = None
    calls: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    _raised_in_a_row: int = 0
    _line: _Line = field(default_factory=lambda: _Line())

    def ask(self, first: Int64s, second: Int64s) -> Iterator[Float64s]:
        """Scores in the order given, a piece per call; NaN where a comparison failed.

        The comparisons of one probe must stand together, since a call serves one probe.
        Raises InputError for answers that no comparator may give, OutOfCalls when spent.
        """
        turns = np.flatnonzero(np.diff(first)) + 1
        edges = [0, *turns.tolist(), len(first)] if len(first) else []
        for begin, end in itertools.pairwise(edges):
            for start in range(begin, end, self.batch):
                piece = second[start : min(start + self.batch, end)]
                yield self._one_probe(int(first[start]), piece)

    def close(self) -> None:
        """Lets the calling thread end."""
        self._line.close()

    def _one_probe(self, probe: int, others: Int64s) -> Float64s:
        """Scores of one probe; a missing template fails without a call."""
        result = np.full(len(others), np.nan)
        blob = self.probes[probe]
        known = np.array([self.references[int(other)] is not None for other in others])
        if blob is None or not known.any():
            self.failures["failure to enrol"] += len(others)
            return result
        self.failures["failure to enrol"] += int((~known).sum())
        result[known] = self._batch(probe, blob, others[known])
        return result

    def _batch(self, probe: int, blob: bytes, others: Int64s) -> Float64s:
        """One call, repeated and then halved where it raises."""
        references = [self.references[int(other)] or b"" for other in others]
        reason = ""
        for _ in range(self.retries + 1):
            if self.max_calls is not None and self.calls >= self.max_calls:
                raise OutOfCalls
            self.calls += 1
            try:
                answer = self._line.call(self.patience, self.comparator, blob, references)
            except InputError:
                raise
            except TimeoutError:
                raise InputError(
                    f"comparator {self.comparator.name} did not answer within {self.patience:g} s "
                    f"for the probe of image number {probe}; restart it and resume from the "
                    "checkpoint, or allow more patience"
                ) from None
            except Exception as cause:
                reason = f"{type(cause).__name__}: {cause}".strip(": ")[:200]
                self._note_raised(reason)
                continue
            self._raised_in_a_row = 0
            return self._checked(answer, probe, len(others))
        if len(others) == 1:
            self.failures[reason] += 1
            return np.array([np.nan])
        half = len(others) // 2
        halves = others[:half], others[half:]
        return np.concatenate([self._batch(probe, blob, part) for part in halves])

    def _note_raised(self, reason: str) -> None:
        self._raised_in_a_row += 1
        if self._raised_in_a_row >= _IN_A_ROW:
            raise InputError(
                f"comparator {self.comparator.name} failed {_IN_A_ROW} times in a row (last: "
                f"{reason}); mend it and resume from the checkpoint"
            )

    def _checked(self, answer: Any, probe: int, expected: int) -> Float64s:
        """The answer as float64 [expected]. Raises InputError if it is none."""
        who = f"comparator {self.comparator.name}, probe of image number {probe}"
        try:
            score = np.asarray(answer, dtype=np.float64)
        except (TypeError, ValueError) as cause:
            raise InputError(f"{who}: the answer is not a list of numbers ({cause})") from None
        if score.shape != (expected,):
            raise InputError(
                f"{who}: {expected} references were handed over and the answer has shape "
                f"{score.shape}; a comparator answers one score per reference, NaN for a failure"
            )
        if np.isinf(score).any():
            raise InputError(
                f"{who}: a score is infinite; scores must be finite, NaN marks a failed comparison"
            )
        self.failures["NaN"] += int(np.isnan(score).sum())
        return score


class _Line:
    """One thread that makes the calls, so that a call which never returns can be given up on.

    It is a daemon: a stuck call does not keep the process from ending.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def call(
        self, seconds: float, comparator: Comparator, probe: bytes, references: list[bytes]
    ) -> Any:
        """The comparator's answer. Raises what it raises, or TimeoutError."""
        if seconds == math.inf:
            return comparator.compare(probe, references)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="comparator", daemon=True)
            self._thread.start()
        self._work.put((comparator, probe, references))
        try:
            answer, error = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if error is not None:
            raise error
        return answer

    def close(self) -> None:
        """Lets the thread end once it is idle."""
        self._work.put(None)

    def _serve(self) -> None:
        while (order := self._work.get()) is not None:
            comparator, probe, references = order
            try:
                self._answers.put((comparator.compare(probe, references), None))
            except Exception as error:  # handed to the caller, who decides
                self._answers.put((None, error))
