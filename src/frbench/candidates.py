"""1:N search: the exact candidate list of every probe, by a matrix product and a proved margin.

A *candidate* is a person, with the highest score of their reference images. A list is ordered by
score, highest first; equal scores stand in the order of their reference images' rows, which knows
nothing of who is on the probe.

The float32 product P is only a sieve. For any order of summation, with or without fused steps,
``|P - x.y| <= gamma |x||y|``, gamma = d u / (1 - d u), u = 2**-24 (Higham, Accuracy and Stability
of Numerical Algorithms, section 3.1, with Cauchy and Schwarz), and a score is within
``ROUNDING |x||y|`` of x.y. With m their sum, ``|P - score| <= m``. Hence whoever is among the
first k of the whole list has P >= (k-th best score so far) - m, and within any part of the gallery
P >= (k-th best P of that part) - 2 m. Everybody who passes both is scored by the definition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from frbench.counting.score import ROUNDING, scores
from frbench.errors import InputError
from frbench.galleries import Gallery, row_numbers
from frbench.values import Bools, EmbeddingSet, Float32s, Float64s, Int64s

_CROWD = 4  # candidates per place above which a tile's own k-th best is worth finding


@dataclass(frozen=True)
class CandidateLists:
    """The first ``rank`` candidates of every search, exactly.

    Attributes:
        gallery: who was searched.
        probes: int64 [Q], row numbers of the searched images in the FaceTable.
        completed: bool [Q]; False where the probe gave no template: its list is empty.
        reference: int64 [Q, K], row number of the candidate's best reference image, -1 behind the
            end of the list; K = min(rank, persons in the gallery).
        score: float32 [Q, K], descending; -inf behind the end.
        rank: how many candidates were asked for.
    """

    gallery: Gallery
    probes: Int64s
    completed: Bools
    reference: Int64s
    score: Float32s
    rank: int

    @property
    def mated(self) -> Bools:
        """bool [Q]: the person is on the list of the gallery, be it with a failed image."""
        return self.gallery.mated(self.probes)

    @cached_property
    def top_score(self) -> Float32s:
        """float32 [Q]: of the first candidate; -inf where there is none."""
        return self.score[:, 0]

    @cached_property
    def _is_mate(self) -> Bools:
        person = self.gallery.subject[self.reference]
        mate = person == self.gallery.subject[self.probes][:, None]
        found: Bools = mate & (self.reference >= 0)
        return found

    @cached_property
    def mate_rank(self) -> Int64s:
        """int64 [Q]: place of the probe's own person in the list, from 1; 0 where absent."""
        place = self._is_mate.argmax(axis=1) + 1
        return np.where(self._is_mate.any(axis=1), place, 0).astype(np.int64)

    @cached_property
    def mate_score(self) -> Float32s:
        """float32 [Q]: score of the probe's own person; -inf where absent from the list."""
        found: Float32s = np.where(self._is_mate, self.score, np.float32(-np.inf)).max(axis=1)
        return found


def search(
    vectors: EmbeddingSet,
    gallery: Gallery,
    probes: npt.ArrayLike | None = None,
    *,
    rank: int = 1,
    block: int = 2048,
) -> CandidateLists:
    """The exact candidate lists; memory O(probes x rank + block x block).

    Failed images take part as what they are: a failed probe has an empty list, a failed reference
    image is never found.

    Args:
        vectors: one row per image of the FaceTable that the gallery was made from.
        probes: row numbers, or a bool per row; None searches every image that is no reference.
        rank: length of a list.
        block: probes and reference images per matrix product; the lists do not depend on it.

    Raises:
        InputError: a probe that is a reference image, a template that is not finite, vectors of
            another set, or a rank below 1.
    """
    rows = (
        gallery.probes if probes is None else row_numbers(probes, len(vectors.enrolled), "probes")
    )
    _require_searchable(vectors, gallery, rows, rank)
    table = np.ascontiguousarray(vectors.vectors, dtype=np.float32)
    columns = gallery.references[vectors.enrolled[gallery.references]]
    columns = columns[np.lexsort((columns, gallery.subject[columns]))]
    width = min(rank, gallery.size)
    reference = np.full((len(rows), width), -1, dtype=np.int64)
    score = np.full((len(rows), width), -np.inf, dtype=np.float32)
    completed = vectors.enrolled[rows]
    active = np.flatnonzero(completed)
    for start in range(0, len(active), block):
        part = active[start : start + block]
        leaders = _Leaders(table, gallery, rows[part], width)
        for tile in _tiles(gallery.subject[columns], block):
            leaders.take(columns[tile])
        reference[part], score[part] = leaders.reference, leaders.score
    return CandidateLists(gallery, rows, completed, reference, score, rank)


class _Leaders:
    """The candidate lists of one block of probes while the gallery passes by."""

    def __init__(self, table: Float32s, gallery: Gallery, probes: Int64s, width: int) -> None:
        self.reference = np.full((len(probes), width), -1, dtype=np.int64)
        self.score = np.full((len(probes), width), -np.inf, dtype=np.float32)
        self._table, self._gallery, self._probes = table, gallery, probes
        self._x = table[probes]
        self._norm = _norms(self._x)

    def take(self, columns: Int64s) -> None:
        """Let part of the gallery in; nobody's reference images may be split between parts."""
        y = self._table[columns]
        product = self._x @ y.T
        margin = _margin(self._norm, float(_norms(y).max()), y.shape[1])
        alive = product >= _just_below(self.score[:, -1] - margin)[:, None]
        width = self.score.shape[1]
        if np.count_nonzero(alive) > _CROWD * width * len(product):
            best = _kth_person(product, self._gallery.subject[columns], width)
            alive &= product >= _just_below(best - 2 * margin)[:, None]
        probe, column = np.nonzero(alive)
        exact = scores(self._table, self._probes[probe], columns[column])
        self._merge(probe, columns[column], exact)

    def _merge(self, probe: Int64s, reference: Int64s, score: Float32s) -> None:
        """Put (probe, reference, score) in line with the candidates listed so far."""
        held, place = np.nonzero(self.reference >= 0)
        probe = np.concatenate([held, probe])
        reference = np.concatenate([self.reference[held, place], reference])
        score = np.concatenate([self.score[held, place], score])
        order = np.lexsort((reference, -score, probe))
        probe, reference, score = probe[order], reference[order], score[order]
        person = self._gallery.subject[reference].astype(np.int64)
        first = np.unique(probe * len(self._gallery.listed) + person, return_index=True)[1]
        first.sort()
        probe, reference, score = probe[first], reference[first], score[first]
        place = np.arange(len(probe)) - np.searchsorted(probe, probe)
        kept = place < self.score.shape[1]
        self.reference[probe[kept], place[kept]] = reference[kept]
        self.score[probe[kept], place[kept]] = score[kept]


def _tiles(person: npt.NDArray[np.integer], block: int) -> Iterator[slice]:
    """Parts of about ``block`` reference images, cut only between persons (sorted)."""
    begins = np.flatnonzero(np.r_[True, np.diff(person) != 0]) if len(person) else np.zeros(0, int)
    start = 0
    while start < len(person):
        later = begins[begins >= start + block]
        stop = int(later[0]) if len(later) else len(person)
        yield slice(start, stop)
        start = stop


def _kth_person(product: Float32s, person: npt.NDArray[np.integer], k: int) -> Float64s:
    """float64 [B]: the k-th highest product, each person's highest counting; -inf if fewer."""
    begins = np.flatnonzero(np.r_[True, np.diff(person) != 0])
    best = product if len(begins) == len(person) else np.maximum.reduceat(product, begins, axis=1)
    if best.shape[1] < k:
        return np.full(len(best), -np.inf)
    kth: Float32s = np.partition(best, best.shape[1] - k, axis=1)[:, -k]
    return kth.astype(np.float64)


def _margin(norm: Float64s, largest: float, dimensions: int) -> Float64s:
    """float64 [B]: most that a float32 product and a score can differ (the module's text)."""
    du = dimensions * 2.0**-24
    relative = du / (1 - du) + ROUNDING
    underflow = (dimensions + 1) * 2.0**-125
    # the norms themselves carry a relative error far below 2**-30
    return relative * (1 + 2.0**-30) * norm * largest + underflow


def _norms(vectors: Float32s) -> Float64s:
    norms: Float64s = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return norms


def _just_below(value: Float64s) -> Float32s:
    """float32 not above ``value``, so that comparing in float32 loses nobody."""
    found: Float32s = np.nextafter(value.astype(np.float32), np.float32(-np.inf))
    return found


def _require_searchable(vectors: EmbeddingSet, gallery: Gallery, rows: Int64s, rank: int) -> None:
    if rank < 1:
        raise InputError(f"rank={rank} must be at least 1")
    if len(vectors.enrolled) != len(gallery.subject):
        raise InputError(
            f"the gallery was made from {len(gallery.subject)} images, but there are "
            f"{len(vectors.enrolled)} templates; use the templates of the same set"
        )
    own = rows[np.isin(rows, gallery.references)]
    if len(own):
        raise InputError(
            f"probe {vectors.image_id[own[0]]} is a reference image of the gallery and would find "
            "itself; leave it out of the probes"
        )
    used = np.concatenate([rows, gallery.references])
    used = used[vectors.enrolled[used]]
    broken = used[~np.isfinite(vectors.vectors[used]).all(axis=1)]
    if len(broken):
        raise InputError(
            f"the template of image {vectors.image_id[broken[0]]} holds a value that is not "
            "finite; mark it as a failure to enrol"
        )
