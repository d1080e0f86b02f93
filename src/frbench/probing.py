"""Is a matcher deterministic, and are its scores fit to be counted? A few faces tell.

Every probe compares scores or templates that must agree: the same faces again, one by one, in
another order, with one thread; a face with itself; both orders of a pair. What is found is a row
with a verdict; how large a difference may be is stated in the row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from frbench.errors import InputError
from frbench.matchers import Faces
from frbench.values import Bools, Float64s, Int64s

TOLERANCE = 1e-5
"""Score difference of vector matchers that is taken for rounding: templates are float32."""
SATURATED = 0.01
"""Share of the non-mated comparisons at the highest score above which scores are saturated."""
FEW_VALUES = 100
"""Distinct scores below which a threshold cannot be set finely."""


@dataclass(frozen=True)
class Row:
    """One probe: what was asked, what came out, and whether that is as it must be.

    Attributes:
        passed: True or False; None where the figure is only told.
    """

    probe: str
    outcome: str
    passed: bool | None = None
    value: float | None = None


@dataclass(frozen=True)
class Made:
    """Templates of the faces: bytes, None for a failure to enrol."""

    templates: Sequence[bytes | None]

    @property
    def enrolled(self) -> Bools:
        """bool [N]."""
        return np.array([each is not None for each in self.templates], dtype=np.bool_)


class Subject(Protocol):
    """A matcher under probe, with the faces that it is shown."""

    threads: bool

    def make(self, order: Sequence[int]) -> Made:
        """Templates of these faces, made together. Raises InputError where that is impossible."""
        ...

    def scores(self, made: Made, first: Int64s, second: Int64s) -> Float64s:
        """float64 [P], of pairs of places in ``made``; NaN where a comparison failed."""
        ...


class VectorSubject:
    """A matcher that gives vectors, with crops made for it; scores are the engine's cosines."""

    threads = True

    def __init__(self, matcher: Any, crops: Faces) -> None:
        self._matcher, self._crops = matcher, crops

    def make(self, order: Sequence[int]) -> Made:
        """Unit vectors as bytes; a vector without direction is a failure."""
        from frbench.embedding import template_of

        vectors = np.asarray(self._matcher.embed(self._crops[list(order)]))
        if vectors.ndim != 2 or len(vectors) != len(order):
            raise InputError(
                f"matcher {self._matcher.name} returned an array of shape {vectors.shape} for "
                f"{len(order)} faces; it must return one row a face"
            )
        made = [template_of(vector).vector for vector in vectors]
        return Made([None if each is None else each.tobytes() for each in made])

    def scores(self, made: Made, first: Int64s, second: Int64s) -> Float64s:
        """Cosines, as the engine defines them."""
        from frbench.counting.score import scores

        width = next(len(each) for each in made.templates if each is not None)
        blank = bytes(width)
        data = b"".join(each or blank for each in made.templates)
        table = np.frombuffer(data, dtype=np.float32).reshape(len(made.templates), -1)
        found = scores(table, first, second).astype(np.float64)
        ok = made.enrolled
        return np.where(ok[first] & ok[second], found, np.nan)


class VendorSubject:
    """A black box (``opaque.vendor.Vendor``), with the image files that it is shown."""

    threads = False

    def __init__(self, vendor: Any, paths: Sequence[Path]) -> None:
        self._vendor, self._paths = vendor, paths

    def make(self, order: Sequence[int]) -> Made:
        """Its own templates. Raises InputError where a call fails."""
        from frbench.opaque.vendor import VendorFailed

        try:
            found = self._vendor.enrol([self._paths[place] for place in order])
        except VendorFailed as failed:
            raise InputError(f"matcher {self._vendor.name} could not enrol: {failed}") from None
        return Made([each.template for each in found])

    def scores(self, made: Made, first: Int64s, second: Int64s) -> Float64s:
        """Its own scores; templates that failed are never shown to it."""
        from frbench.opaque.vendor import VendorFailed

        ok = made.enrolled[first] & made.enrolled[second]
        result = np.full(len(first), np.nan)
        try:
            with self._vendor.opened(made.templates) as session:
                result[ok] = session.compare(first[ok], second[ok])
        except VendorFailed as failed:
            raise InputError(f"matcher {self._vendor.name} could not compare: {failed}") from None
        return result


@dataclass(frozen=True)
class Shown:
    """The faces of a probe.

    Attributes:
        person: who is on each, int64 [N].
        group: name of each one's group.
    """

    person: Int64s
    group: Sequence[str]


def probe(subject: Subject, shown: Shown, *, tolerance: float = TOLERANCE) -> list[Row]:
    """All probes of one matcher.

    Raises:
        InputError: fewer than two faces could be enrolled, or the matcher fails.
    """
    count = len(shown.person)
    everyone = list(range(count))
    subject.make(everyone[: min(2, count)])  # the first call loads the weights
    started = time.perf_counter()
    made = subject.make(everyone)
    seconds = time.perf_counter() - started
    if made.enrolled.sum() < 2:
        raise InputError(f"{int(made.enrolled.sum())} of {count} faces were enrolled; show others")
    first, second = (each.astype(np.int64) for each in np.triu_indices(count, 1))
    base = subject.scores(made, first, second)
    rows = [
        _same("the same batch again", made, subject.make(everyone), subject, base, tolerance),
        _same("one by one", made, _one_by_one(subject, everyone), subject, base, tolerance),
        _same("in reverse order", made, _reversed(subject, everyone), subject, base, tolerance),
    ]
    if subject.threads:
        with _one_thread():
            alone = subject.make(everyone)
        rows.append(_same("with one thread", made, alone, subject, base, tolerance))
    rows.append(_symmetry(subject, made, first, second, base, tolerance))
    rows.append(_self_match(subject, made, first, second, base, tolerance))
    rows += _distribution(base, shown.person[first] == shown.person[second])
    rows += _costs(subject, made, shown, count / seconds)
    return rows


def _same(
    how: str, made: Made, again: Made, subject: Subject, base: Float64s, tolerance: float
) -> Row:
    """Whether templates made another way give the same scores and the same failures."""
    if (made.enrolled != again.enrolled).any():
        changed = int((made.enrolled != again.enrolled).sum())
        return Row(how, f"{changed} faces were enrolled once and failed once", False)
    if list(made.templates) == list(again.templates):
        return Row(how, "the same templates, byte for byte", True, 0.0)
    first, second = (each.astype(np.int64) for each in np.triu_indices(len(made.templates), 1))
    return _difference(how, "scores differ", base, subject.scores(again, first, second), tolerance)


def _difference(how: str, words: str, base: Float64s, other: Float64s, tolerance: float) -> Row:
    if (np.isnan(base) != np.isnan(other)).any():
        return Row(how, "a comparison failed once and not the other time", False)
    most = float(np.nanmax(np.abs(base - other), initial=0.0))
    passed = most <= tolerance
    if most == 0:
        return Row(how, "the same scores", True, 0.0)
    return Row(how, f"{words} by up to {most:.2g} ({tolerance:.2g} is allowed)", passed, most)


def _one_by_one(subject: Subject, everyone: Sequence[int]) -> Made:
    return Made([subject.make([place]).templates[0] for place in everyone])


def _reversed(subject: Subject, everyone: Sequence[int]) -> Made:
    return Made(list(subject.make(everyone[::-1]).templates)[::-1])


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _symmetry(
    subject: Subject, made: Made, first: Int64s, second: Int64s, base: Float64s, tolerance: float
) -> Row:
    other = subject.scores(made, second, first)
    row = _difference("both orders of a pair", "scores differ", base, other, tolerance)
    if row.passed:
        return row
    return Row(row.probe, f"{row.outcome}; set matcher.asymmetric=true", False, row.value)


def _self_match(
    subject: Subject, made: Made, first: Int64s, second: Int64s, base: Float64s, tolerance: float
) -> Row:
    """A template against itself must score at least as high as against any other."""
    places = np.arange(len(made.templates), dtype=np.int64)
    own = subject.scores(made, places, places)
    best = np.full(len(own), -np.inf)
    done = ~np.isnan(base)
    np.maximum.at(best, first[done], base[done])
    np.maximum.at(best, second[done], base[done])
    enrolled = made.enrolled
    failed = int(np.isnan(own[enrolled]).sum())
    if failed:
        return Row("a face with itself", f"{failed} comparisons failed", False)
    beaten = int((own[enrolled] < best[enrolled] - tolerance).sum())
    low, high = float(own[enrolled].min()), float(own[enrolled].max())
    words = f"scores {low:.6g} to {high:.6g}"
    if beaten:
        return Row("a face with itself", f"{words}; {beaten} faces match another better", False)
    return Row("a face with itself", f"{words}, above all others", True, low)


def _distribution(base: Float64s, mated: Bools) -> list[Row]:
    """Distinct values, ties, and how much stands at the ends of the scale."""
    done = ~np.isnan(base)
    scores, other = base[done], base[done & ~mated]
    values, counts = np.unique(scores, return_counts=True)
    share = float(counts.max() / len(scores))
    coarse = len(values) < min(FEW_VALUES, len(scores) // 2)
    rows = [
        Row(
            "distinct scores",
            f"{len(values):,} among {len(scores):,} comparisons; the commonest, "
            f"{values[counts.argmax()]:.6g}, is {share:.2%} of them"
            + (": too coarse to set a threshold finely" if coarse else ""),
            not coarse,
            float(len(values)),
        )
    ]
    if len(other):
        top = float((other == values[-1]).mean())
        bottom = float((other == values[0]).mean())
        full = top > SATURATED and int((other == values[-1]).sum()) > 1
        rows.append(
            Row(
                "ends of the scale",
                f"{top:.2%} of the non-mated comparisons have the highest score, {bottom:.2%} the "
                "lowest" + (": scores are saturated" if full else ""),
                not full,
                top,
            )
        )
    return rows


def _costs(subject: Subject, made: Made, shown: Shown, speed: float) -> list[Row]:
    rows = [Row("throughput", f"{speed:.3g} faces/s in one batch", None, speed)]
    names = np.asarray(shown.group, dtype=np.str_)
    for name in sorted(set(names.tolist())):
        mine = [int(place) for place in np.flatnonzero(names == name)]
        started = time.perf_counter()
        subject.make(mine)
        each = (time.perf_counter() - started) / len(mine)
        sizes = [len(t) for t in (made.templates[place] for place in mine) if t is not None]
        held = f"{min(sizes):,} to {max(sizes):,} bytes" if sizes else "none was made"
        if sizes and min(sizes) == max(sizes):
            held = f"{sizes[0]:,} bytes"
        failed = len(mine) - len(sizes)
        words = f"{1000 * each:.3g} ms a face, templates {held}, {failed} of {len(mine)} failed"
        rows.append(Row(f"group {name}", words, None, each))
    return rows


def crops_of(
    matcher: Any, detector: Any, paths: Sequence[Path], choice: str
) -> tuple[Faces, Int64s]:
    """The crops that a vector matcher is shown, and the places of the images that gave one.

    Raises:
        InputError: no image gave a crop.
    """
    from frbench.choosing import check_choice
    from frbench.embedding import _effective
    from frbench.imaging import quiet_decoding
    from frbench.preparing import Preparation, Source

    preprocess = _effective(matcher.preprocess, detector)
    preparation = Preparation(detector, check_choice(choice), preprocess, frozenset())
    with quiet_decoding():
        prepared = [preparation.of_files([Source(path)])[0] for path in paths]
    there = [place for place, each in enumerate(prepared) if each.crop is not None]
    if not there:
        why = next((each.failure or each.unreadable for each in prepared), "no image")
        raise InputError(f"no image gave a face to show the matcher ({why}); try another detector")
    crops = np.stack([each.crop for each in prepared if each.crop is not None])
    return crops, np.array(there, dtype=np.int64)
