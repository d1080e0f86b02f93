"""``reference=population_file``: a CSV of a force area, or of any population."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from frbench.auditing.composition import Expected, crossed_labels, label_parts
from frbench.errors import InputError
from frbench.references.stated_shares import StatedShares
from frbench.table_files import read_strings


class PopulationFile:
    """A row per category or combination: label columns and a column ``count`` or ``share``."""

    def __init__(self, *, path: str, name: str | None = None, persons: float | None = None) -> None:
        """Remember the file.

        Args:
            path: CSV or Parquet; label columns are called as in the manifest.
            name: of the population; default: the file's name.
            persons: persons behind the figures where they come from a sample, not a census.
        """
        self._path = Path(path).expanduser()
        self.name = name or self._path.stem
        self._persons = persons
        self._table: pd.DataFrame | None = None

    def expected(self, label: str, groups: Sequence[str]) -> Expected | None:
        """Shares of the label, or of the combination where the file has all its columns."""
        table = self._read()
        parts = label_parts(label)
        if any(part not in table for part in parts):
            return None
        shares = table["size"].groupby(crossed_labels(table, parts)).sum()
        stated = StatedShares(
            name=self.name,
            source=f"file {self._path.name}",
            shares={label: {str(key): float(value) for key, value in shares.items()}},
            persons=self._persons,
        )
        return stated.expected(label, groups)

    def _read(self) -> pd.DataFrame:
        if self._table is not None:
            return self._table
        table = read_strings(self._path, what="reference.path").frame
        column = next((name for name in ("count", "share") if name in table), None)
        if column is None:
            raise InputError(
                f"reference.path={self._path} has neither a column count nor share; its columns "
                f"are {', '.join(table.columns)}"
            )
        size = pd.to_numeric(table[column], errors="coerce")
        bad = size.isna() | (size < 0)
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise InputError(
                f"reference.path={self._path}: row {row + 1}, column {column}: "
                f"{table[column].iloc[row]!r} is no number from 0 up; mend it"
            )
        others = table.drop(columns=column)
        blank = others.isna().any(axis=1)
        if blank.any():
            row = int(blank.to_numpy().argmax())
            raise InputError(
                f"reference.path={self._path}: row {row + 1} has a blank label; name the category"
            )
        self._table = others.assign(size=size)
        return self._table
