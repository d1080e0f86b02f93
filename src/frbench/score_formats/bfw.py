"""``format=bfw``: the data table of Balanced Faces in the Wild, with a column per matcher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.score_formats import SIDES, Source, labels_of, require
from frbench.score_formats._cells import numbers_as_text, read_cells

_LABELS = {"sex": "g", "ethnicity": "e", "subgroup": "att"}
"""Our label -> the table's column, without the 1 or 2 of its side."""
_NO_SCORE = {
    *("ID", "fold", "label", "Unnamed: 0", "", "index", "score_failed"),
    *(f"{stem}{side}" for stem in ("p", "id", "att", "a", "g", "e") for side in (1, 2)),
}
_NEEDED = ("p1", "p2", "label", "id1", "id2")


class Bfw:
    """``p1, p2, label, id1, id2, att1, att2, g1, g2, e1, e2, fold, <matcher> …`` (CSV or Parquet).

    ``p1`` is the probe. ``benchmark.column`` names the matcher's column; it may be left out where
    there is only one. Labels are ``sex`` (g), ``ethnicity`` (e) and ``subgroup`` (att), and a
    person is ``att/id``. ``label`` (1 mated, 0 non-mated) must agree with the persons.
    """

    name = "bfw"
    takes = frozenset({"column"})

    def recognises(self, head: bytes, columns: tuple[str, ...]) -> bool:
        """By the columns p1, p2, id1 and id2."""
        return all(name in columns for name in ("p1", "p2", "id1", "id2"))

    def read(self, source: Source) -> pd.DataFrame:
        """Raises InputError for an unknown column, or rows whose label contradicts the persons."""
        table = read_cells(source.path)
        present = tuple(str(name) for name in table.columns)
        needs = f"a BFW data table has {', '.join(_NEEDED)} and a column per matcher."
        require(source.path, present, _NEEDED, needs)
        rows = pd.DataFrame({"probe_id": table["p1"], "reference_id": table["p2"]})
        for number, side in enumerate(SIDES, 1):
            person = table[f"id{number}"].astype("str")
            group = f"att{number}"
            rows[f"{side}_subject"] = (
                table[group].astype("str") + "/" + person if group in present else person
            )
            for ours, theirs in _LABELS.items():
                if f"{theirs}1" in present and f"{theirs}2" in present:
                    rows[f"{side}_{ours}"] = table[f"{theirs}{number}"]
        rows["score"] = table[_score_column(source, present)]
        _refuse_contradictions(rows, table["label"], source.path)
        return rows

    def write(self, rows: pd.DataFrame, path: Path) -> None:
        """The scores in a column ``score``. Raises InputError for a label without a column."""
        foreign = [name for name in labels_of(rows) if name not in _LABELS]
        if foreign:
            raise InputError(
                f"{path}: a BFW data table has no column for {', '.join(foreign)}; it holds "
                f"{', '.join(_LABELS)}"
            )
        table = pd.DataFrame({"fold": "1", "p1": rows["probe_id"], "p2": rows["reference_id"]})
        mated = rows["probe_subject"] == rows["reference_subject"]
        table["label"] = mated.astype(int).astype("str")
        for number, side in enumerate(SIDES, 1):
            table[f"id{number}"] = rows[f"{side}_subject"]
            for ours in labels_of(rows):
                table[f"{_LABELS[ours]}{number}"] = rows[f"{side}_{ours}"]
        table["score"] = numbers_as_text(rows["score"], "")
        table.to_csv(path, index=False)


def _score_column(source: Source, columns: tuple[str, ...]) -> str:
    free = [name for name in columns if name not in _NO_SCORE]
    if source.column is None and len(free) == 1:
        return free[0]
    if source.column is None or source.column not in free:
        asked = f"no column {source.column!r}" if source.column else f"{len(free)} score columns"
        raise InputError(
            f"{source.path}: {asked}; choose with benchmark.column one of: "
            f"{', '.join(free) or '(there is none)'}"
        )
    return source.column


def _refuse_contradictions(rows: pd.DataFrame, label: pd.Series[str], path: Path) -> None:
    mated = (rows["probe_subject"] == rows["reference_subject"]).to_numpy()
    said = pd.to_numeric(label, errors="coerce").to_numpy()
    wrong = np.flatnonzero(said != mated)
    if len(wrong):
        raise InputError.listing(
            f"{path}: {len(wrong)} rows whose label contradicts their persons (1 is mated, 0 "
            "non-mated); mend or remove them:",
            [
                f"row {row + 1}: label {label.iloc[row]!r}, persons "
                f"{rows['probe_subject'].iloc[row]} and {rows['reference_subject'].iloc[row]}"
                for row in wrong[:50]
            ],
        )
