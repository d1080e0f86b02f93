"""What a labelled set can show before anything is run: persons, images and comparisons per cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from frbench.counting.images import group_column
from frbench.errors import InputError
from frbench.groups import label_names
from frbench.values import Bools, FaceSet, Int64s

GROUP_COLUMNS = (
    "group",
    "images",
    "persons",
    "persons_with_one_image",
    "unusable",
    "mated",
    "non_mated",
    "smallest_fmr",
)
"""A row per group. unusable: images that are no readable file. mated, non_mated: comparisons
within the group. smallest_fmr: fraction, the upper 95 % limit that no false match at all would
leave (``smallest_fmr``); NaN with fewer than two persons."""


def smallest_fmr(persons: int) -> float:
    """The upper 95 % limit of the FMR within a group when nobody is falsely matched.

    Rule of three on persons: n persons make n // 2 pairs that share nobody, which are independent
    whatever the persons are like, and no error among m independent comparisons leaves 3 / m
    (Hanley and Lippman-Hand 1983). NaN with fewer than two persons, at most 1.

    >>> smallest_fmr(600)
    0.01
    """
    pairs = persons // 2
    return min(1.0, 3 / pairs) if pairs else float("nan")


def group_table(faces: FaceSet, usable: Bools, cells: tuple[Int64s, Int64s]) -> pd.DataFrame:
    """The table of ``GROUP_COLUMNS``.

    Args:
        faces: the set, with ``group``.
        usable: bool [N] per row of the table.
        cells: mated and non-mated comparisons, int64 [G, G] each, of ``comparisons``.
    """
    table = faces.faces.assign(_bad=~usable)
    column = group_column(table)
    rows = []
    for place, name in enumerate(column.cat.categories):
        mine = table[column == name]
        images = mine.groupby("subject_id").size()
        rows.append(
            {
                "group": str(name),
                "images": len(mine),
                "persons": len(images),
                "persons_with_one_image": int((images == 1).sum()),
                "unusable": int(mine["_bad"].sum()),
                "mated": int(cells[0][place, place]),
                "non_mated": int(cells[1][place, place]),
                "smallest_fmr": smallest_fmr(len(images)),
            }
        )
    return pd.DataFrame(rows, columns=list(GROUP_COLUMNS))


def comparisons(faces: FaceSet, same: tuple[str, ...] = ()) -> tuple[Int64s, Int64s]:
    """Mated and non-mated comparisons per cell, int64 [G, G], symmetric.

    All pairs of images, or those of the set's own protocol.

    Args:
        faces: the set, with ``group``.
        same: labels that must agree for a non-mated comparison.
    """
    column = group_column(faces.faces)
    group = np.asarray(column.cat.codes, dtype=np.int64)
    person = pd.factorize(faces.faces["subject_id"])[0].astype(np.int64)
    size = len(column.cat.categories)
    if faces.pairs is not None:
        place = pd.Index(faces.faces["image_id"])
        first, second = (
            place.get_indexer(faces.pairs[name]) for name in ("probe_id", "reference_id")
        )
        return listed_comparisons(group, person, first[first >= 0], second[first >= 0], size)
    stratum = _strata(faces.faces, same)
    everyone = _counted(stratum, group, size)
    own = _counted(person, group, size)
    own_stratum = _counted(
        np.unique(person * (stratum.max() + 1) + stratum, return_inverse=True)[1], group, size
    )
    images = np.bincount(group, minlength=size)
    mated = (own.T @ own).toarray().astype(np.int64)
    np.fill_diagonal(mated, (np.diag(mated) - images) // 2)
    non_mated = (everyone.T @ everyone - own_stratum.T @ own_stratum).toarray().astype(np.int64)
    np.fill_diagonal(non_mated, np.diag(non_mated) // 2)
    return mated, non_mated


def listed_comparisons(
    group: Int64s, person: Int64s, first: Int64s, second: Int64s, size: int
) -> tuple[Int64s, Int64s]:
    """The same for comparisons given as row numbers of both sides."""
    counts = np.zeros((2, size, size), dtype=np.int64)
    other = (person[first] != person[second]).astype(np.int64)
    low, high = np.minimum(group[first], group[second]), np.maximum(group[first], group[second])
    np.add.at(counts, (other, low, high), 1)
    upper = np.triu(counts, 1)
    counts = counts + upper.transpose(0, 2, 1)
    return counts[0], counts[1]


def _strata(table: pd.DataFrame, same: tuple[str, ...]) -> Int64s:
    """int64 [N]: images of one number may be compared as different people."""
    present = label_names(table)
    wanted = present if "*" in same else [name.removeprefix("label_") for name in same]
    absent = [name for name in wanted if name not in present]
    if absent:
        raise InputError(
            f"comparison.same names {', '.join(absent)}, but the set has no such label; it has: "
            f"{', '.join(present) or 'none'}"
        )
    if not wanted:
        return np.zeros(len(table), dtype=np.int64)
    columns = [f"label_{name}" for name in wanted]
    codes: Int64s = table.groupby(columns, dropna=False).ngroup().to_numpy().astype(np.int64)
    return codes


def _counted(rows: Int64s, group: Int64s, size: int) -> sparse.csr_array:
    """int64 [rows, G]: images of each row's kind in each group."""
    ones = np.ones(len(rows), dtype=np.int64)
    shape = (int(rows.max(initial=-1)) + 1, size)
    return sparse.coo_array((ones, (rows, group)), shape=shape).tocsr()
