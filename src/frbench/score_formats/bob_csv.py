"""``format=bob_csv``: the CSV files of bob.bio.base, with all metadata of probe and reference."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from frbench.errors import InputError
from frbench.score_formats import SIDES, Source, labels_of, require
from frbench.score_formats._cells import numbers_as_text, read_cells

_THEIRS = {"probe": "probe", "reference": "bio_ref"}
_OURS = {"template_id": "id", "subject_id": "subject"}


class BobCsv:
    """``probe_template_id, probe_subject_id, bio_ref_template_id, bio_ref_subject_id, score`` and
    ``probe_<key>, bio_ref_<key>`` for the metadata of bob's samples.

    A key that only one side has (a session, a camera) is left out, since a label describes both.
    """

    name = "bob_csv"
    takes: frozenset[str] = frozenset()

    def recognises(self, head: bytes, columns: tuple[str, ...]) -> bool:
        """By a column that begins with ``bio_ref_``."""
        return any(name.startswith("bio_ref_") for name in columns) and "score" in columns

    def read(self, source: Source) -> pd.DataFrame:
        """Raises InputError where an id, a person or the score has no column."""
        table = read_cells(source.path)
        wanted = [f"{theirs}_{key}" for theirs in _THEIRS.values() for key in _OURS]
        present = tuple(str(name) for name in table.columns)
        require(
            source.path,
            present,
            (*wanted, "score"),
            f"a CSV file of bob.bio.base has {', '.join(wanted)} and score.",
        )
        renamed = {
            f"{_THEIRS[side]}_{key}": f"{side}_{ours}"
            for side in SIDES
            for key, ours in _OURS.items()
        }
        for key in _shared_keys(present):
            renamed |= {f"{_THEIRS[side]}_{key}": f"{side}_{key}" for side in SIDES}
        return table[[*renamed, "score"]].rename(columns=renamed)

    def write(self, rows: pd.DataFrame, path: Path) -> None:
        """Labels become metadata of both sides; a failed comparison has the score ``nan``."""
        reserved = sorted({*_OURS, "id", "subject"} & set(labels_of(rows)))
        if reserved:
            raise InputError(f"{path}: a label cannot be called {reserved[0]} here; rename it")
        table = pd.DataFrame(index=rows.index)
        for side in SIDES:
            for key, ours in {**_OURS, **{name: name for name in labels_of(rows)}}.items():
                table[f"{_THEIRS[side]}_{key}"] = rows[f"{side}_{ours}"]
        table["score"] = numbers_as_text(rows["score"], "nan")
        table.to_csv(path, index=False)


def _shared_keys(columns: tuple[str, ...]) -> list[str]:
    """Metadata that both sides have, ids and persons aside."""
    keys = [name.removeprefix("probe_") for name in columns if name.startswith("probe_")]
    return [key for key in keys if key not in _OURS and f"bio_ref_{key}" in columns]
