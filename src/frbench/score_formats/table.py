"""``format=table``: frbench's own columns, as CSV or Parquet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from frbench.score_formats import COLUMNS, IDS, Source
from frbench.score_formats._cells import numbers_as_text, read_cells


class Table:
    """``probe_id, reference_id, probe_subject, reference_subject, score`` and label columns.

    With ``benchmark.labels`` the subject columns may be absent. A blank or NaN score is a failed
    comparison.
    """

    name = "table"
    takes: frozenset[str] = frozenset()

    def recognises(self, head: bytes, columns: tuple[str, ...]) -> bool:
        """By the columns ``probe_id`` and ``reference_id``."""
        return all(name in columns for name in IDS)

    def read(self, source: Source) -> pd.DataFrame:
        """The columns as they stand."""
        return read_cells(source.path)

    def write(self, rows: pd.DataFrame, path: Path) -> None:
        """CSV, or Parquet where the name ends in ``.parquet``."""
        ordered = rows[[*(c for c in COLUMNS if c in rows), *(c for c in rows if c not in COLUMNS)]]
        if path.suffix == ".parquet":
            ordered.to_parquet(path, index=False)
            return
        ordered.assign(score=numbers_as_text(rows["score"], "")).to_csv(path, index=False)
