"""Candidate lists that somebody else's 1:N search returned, as NIST's validation writes them.

A file is a header and a line per candidate: ``searchId candidateRank searchRetCode isAssigned
templateId score`` and, in some releases, ``decision``. Read with the set and the gallery that was
searched, the lists go to ``identification.identification_rates`` like those of frbench's own
search. NIST's ranks start at 0; here any start will do, since only their order counts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from frbench.candidates import CandidateLists
from frbench.errors import InputError
from frbench.galleries import Gallery
from frbench.score_formats._cells import read_words, write_words
from frbench.values import FaceSet

HEADER = ("searchId", "candidateRank", "searchRetCode", "isAssigned", "templateId", "score")
_YES, _NO = ("1", "true"), ("0", "false")


def read_candidates(path: Path, faces: FaceSet, gallery: Gallery) -> CandidateLists:
    """The lists of every search in the file.

    A search with a return code other than 0 failed: its list is empty. A candidate that is not
    assigned is no candidate. A person occurs once in a list, with the highest score.

    Args:
        path: the file; ``searchId`` and ``templateId`` are ids of images of the set.
        faces: the set, after ``assign_groups``.
        gallery: who was enrolled, made from the same set.

    Raises:
        InputError: a line that does not fit, an id that is not in the set or not in the gallery,
            a searched image of the gallery, or scores that rise with the rank; with the line.
    """
    words = read_words(path, (6, 7), " ".join(HEADER))
    if tuple(words.iloc[0, :6]) != HEADER:
        raise InputError(f"{path}: the first line is not {' '.join(HEADER)!r}; add it")
    rows = words.iloc[1:, :6].set_axis(list(HEADER), axis=1).reset_index(drop=True)
    numbers = _numbers(rows, path)
    images = pd.Index(faces.faces["image_id"].astype("str"))
    probe = images.get_indexer(pd.Index(rows["searchId"]))
    _refuse(path, rows, probe < 0, "searchId", "is no image of the set")
    _refuse(path, rows, np.isin(probe, gallery.references), "searchId", "is in the gallery itself")
    assigned = rows["isAssigned"].str.lower().isin(_YES).to_numpy()
    strange = ~assigned & ~rows["isAssigned"].str.lower().isin(_NO).to_numpy()
    _refuse(path, rows, strange, "isAssigned", "is neither 0 nor 1")
    kept = assigned & (numbers["searchRetCode"].to_numpy() == 0)
    reference = images.get_indexer(pd.Index(rows["templateId"]))
    outside = kept & ~np.isin(reference, gallery.references)
    _refuse(path, rows, outside, "templateId", "is not enrolled in the gallery")
    return _lists(path, rows.assign(**numbers), probe, reference, kept, gallery)


def write_candidates(lists: CandidateLists, faces: FaceSet, path: Path) -> None:
    """The lists as a file; a failed search is a line with return code 1 and no candidate."""
    names = faces.faces["image_id"].astype("str").to_numpy(dtype=object)
    lines = []
    for row, probe in enumerate(lists.probes):
        places = np.flatnonzero((lists.reference[row] >= 0) & lists.completed[row])
        code = "0" if lists.completed[row] else "1"
        if len(places) == 0:
            lines.append((names[probe], "0", code, "0", "none", "-1"))
        for rank in places:
            found = names[lists.reference[row, rank]]
            score = repr(float(lists.score[row, rank]))
            lines.append((names[probe], str(rank), code, "1", found, score))
    table = pd.DataFrame(lines, columns=list(HEADER), dtype="str")
    write_words(table, path, " ".join(HEADER))


def _lists(
    path: Path,
    rows: pd.DataFrame,
    probe: np.ndarray[tuple[int], np.dtype[np.int64]],
    reference: np.ndarray[tuple[int], np.dtype[np.int64]],
    kept: np.ndarray[tuple[int], np.dtype[np.bool_]],
    gallery: Gallery,
) -> CandidateLists:
    table = rows.assign(probe=probe, reference=reference, line=np.arange(2, len(rows) + 2))
    failed = table.groupby("probe")["searchRetCode"].max()
    table = table[kept].sort_values(["probe", "candidateRank"], kind="stable")
    rising = (table["probe"] == table["probe"].shift()) & (table["score"] > table["score"].shift())
    if rising.any():
        line = int(table.loc[rising, "line"].iloc[0])
        raise InputError(
            f"{path}: line {line}: a score above that of the better rank; lists must descend, so "
            "negate distances"
        )
    table["person"] = gallery.subject[table["reference"]]
    table = table.drop_duplicates(["probe", "person"])
    probes = failed.index.to_numpy(dtype=np.int64)
    place = table.groupby("probe").cumcount().to_numpy()
    width = int(place.max(initial=0)) + 1
    found = np.full((len(probes), width), -1, dtype=np.int64)
    score = np.full((len(probes), width), -np.inf, dtype=np.float32)
    row = np.searchsorted(probes, table["probe"])
    found[row, place] = table["reference"]
    score[row, place] = table["score"]
    return CandidateLists(gallery, probes, (failed == 0).to_numpy(), found, score, width)


def _numbers(rows: pd.DataFrame, path: Path) -> dict[str, pd.Series[float]]:
    """Rank, return code and score as numbers."""
    result = {}
    for name in ("candidateRank", "searchRetCode", "score"):
        result[name] = pd.to_numeric(rows[name], errors="coerce")
        bad = ~np.isfinite(result[name].to_numpy(dtype=np.float64))
        _refuse(path, rows, bad, name, "is not a finite number")
    return result


def _refuse(
    path: Path,
    rows: pd.DataFrame,
    wrong: np.ndarray[tuple[int], np.dtype[np.bool_]],
    column: str,
    why: str,
) -> None:
    if wrong.any():
        raise InputError.listing(
            f"{path}: {int(wrong.sum())} lines cannot be used:",
            [
                f"line {row + 2}, {column}: {rows[column].iloc[row]!r} {why}"
                for row in np.flatnonzero(wrong)[:50]
            ],
        )
