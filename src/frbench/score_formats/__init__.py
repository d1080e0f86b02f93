"""The shelf of score files: one file reads and writes one convention for scored comparisons.

Every format is read into the same columns: ``probe_id, reference_id, probe_subject,
reference_subject, score`` and, for each label, ``probe_<label>, reference_<label>``. A format
that does not know the persons leaves the two subject columns out; they come from
``benchmark.labels``. Whether scores are similarities or distances is not changed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from frbench.errors import InputError

COLUMNS = ("probe_id", "reference_id", "probe_subject", "reference_subject", "score")
IDS = ("probe_id", "reference_id")
SUBJECTS = ("probe_subject", "reference_subject")
SIDES = ("probe", "reference")


@dataclass(frozen=True)
class Source:
    """A score file and what it does not say of itself.

    Attributes:
        path: the file.
        kind: ``similarity`` or ``distance``, as the user says.
        column: which column holds the scores, for formats with several.
        mask: matrix that says which comparisons count (``bee``).
        probes, references: lists of the matrix's rows and columns (``bee``).
    """

    path: Path
    kind: str = "similarity"
    column: str | None = None
    mask: Path | None = None
    probes: Path | None = None
    references: Path | None = None


class ScoreFormat(Protocol):
    """One convention. ``takes`` names the settings of a ``Source`` that it understands."""

    name: str
    takes: frozenset[str]

    def recognises(self, head: bytes, columns: tuple[str, ...]) -> bool:
        """Whether the file can be nothing else, from its first bytes and its column names."""
        ...

    def read(self, source: Source) -> pd.DataFrame:
        """The comparisons in the columns above. Raises InputError naming row, column or byte."""
        ...

    def write(self, rows: pd.DataFrame, path: Path) -> None:
        """The comparisons as a file. Raises InputError where the format cannot hold them."""
        ...


def labels_of(rows: pd.DataFrame) -> list[str]:
    """The labels that both sides of the rows carry.

    >>> labels_of(pd.DataFrame(columns=[*COLUMNS, "probe_sex", "reference_sex"]))
    ['sex']
    """
    return [
        str(name).removeprefix("probe_")
        for name in rows.columns
        if str(name).startswith("probe_")
        and name not in COLUMNS
        and str(name).replace("probe_", "reference_", 1) in rows.columns
    ]


def require(path: Path, present: tuple[str, ...], wanted: tuple[str, ...], what: str) -> None:
    """Raise InputError naming the columns that a file of this format must have and has not."""
    absent = [name for name in wanted if name not in present]
    if absent:
        raise InputError(
            f"{path}: the column{'s' * (len(absent) > 1)} {', '.join(absent)} "
            f"{'are' if len(absent) > 1 else 'is'} missing; {what}"
        )
