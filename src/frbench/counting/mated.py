"""All mated comparisons, found directly: they are few, and all of their scores are kept."""

from __future__ import annotations

import numpy as np

from frbench.counting.compiled import compiled
from frbench.counting.images import Images
from frbench.values import Int32s, Int64s


def mated_pairs(images: Images) -> tuple[Int32s, Int32s]:
    """Row numbers of both images of every completed mated comparison.

    Without roles first < second; with roles first is the probe. Sorted by (first, second). The
    impostor policy does not bear on mated comparisons.
    """
    rows = np.flatnonzero(images.enrolled)
    by_subject = rows[np.argsort(images.subject[rows], kind="stable")]
    subject = images.subject[by_subject]
    # places of each image's partners: behind it in its person's run, and among the references
    place = np.empty(len(images.subject), np.int64)
    place[by_subject] = np.arange(len(rows))
    until = np.searchsorted(subject, subject, side="right")
    since = np.arange(1, len(rows) + 1)
    if images.references_from is not None:
        references = np.cumsum(by_subject >= images.references_from)
        before = np.r_[0, references][until] - np.r_[0, references][since]
        since = np.where(by_subject < images.references_from, until - before, until)
    total = int((until - since).sum())
    first, second = np.empty(total, np.int32), np.empty(total, np.int32)
    _fill(rows, by_subject, place, since, until, first, second)
    return first, second


@compiled
def _fill(
    rows: Int64s,
    by_subject: Int64s,
    place: Int64s,
    since: Int64s,
    until: Int64s,
    first: Int32s,
    second: Int32s,
) -> None:
    at = 0
    for row in rows:
        own = place[row]
        for other in range(since[own], until[own]):
            first[at] = row
            second[at] = by_subject[other]
            at += 1
