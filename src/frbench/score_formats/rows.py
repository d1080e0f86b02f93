"""Scored comparisons checked row by row, whatever file they came from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.score_formats import COLUMNS, IDS, SUBJECTS, require
from frbench.table_files import missing_or_text

_MISSING_SCORES = ("", "nan", "na", "null", "none")


def checked(rows: pd.DataFrame, where: object) -> pd.DataFrame:
    """The same rows, ids and labels as text and scores as float64, NaN for a failed comparison.

    Args:
        rows: the columns of the shelf, subjects included.
        where: the file, for messages.

    Raises:
        InputError: a missing column, a label on one side only, a blank id or person, a score that
            is not finite, or a comparison listed twice; every row is named.
    """
    present = tuple(str(name) for name in rows.columns)
    require(
        where,  # type: ignore[arg-type]
        present,
        COLUMNS,
        f"it needs {', '.join(COLUMNS)} and, for each label, probe_<label> and reference_<label>.",
    )
    _refuse_one_sided(present, where)
    problems: list[str] = []
    result = pd.DataFrame({c: _as_text(rows[c]) for c in rows.columns if c != "score"})
    for column in (*IDS, *SUBJECTS):
        blank = result[column].isna().to_numpy()
        problems += [f"row {i + 1}, {column}: blank" for i in np.flatnonzero(blank)[:50]]
    result["score"] = _as_scores(rows["score"], problems)
    for i in _listed_before(result)[:50]:
        problems.append(
            f"row {i + 1}: {result['probe_id'].iloc[i]} against {result['reference_id'].iloc[i]} "
            "is listed a second time"
        )
    if problems:
        raise InputError.listing(
            f"{where}: rows that cannot be used; mend or remove them:", problems
        )
    return result


def _refuse_one_sided(columns: tuple[str, ...], where: object) -> None:
    other = {"probe_": "reference_", "reference_": "probe_"}
    one_sided = [
        name
        for name in columns
        for mine, theirs in other.items()
        if name.startswith(mine) and name not in COLUMNS
        if name.replace(mine, theirs, 1) not in columns
    ]
    if one_sided:
        raise InputError(
            f"{where}: {', '.join(one_sided)} stands on one side only; a label needs both "
            "probe_<label> and reference_<label>."
        )


def _listed_before(rows: pd.DataFrame) -> list[int]:
    """Rows whose comparison occurs above them. Numbers are compared, since texts take seconds."""
    codes = pd.factorize(pd.concat([rows["probe_id"], rows["reference_id"]]))[0].astype(np.int64)
    count = len(rows)
    keys = pd.Series(codes[:count] * (int(codes.max(initial=0)) + 2) + codes[count:])
    return [int(row) for row in np.flatnonzero(keys.duplicated().to_numpy())]


def _as_text(values: pd.Series[str]) -> pd.Series[str]:
    if pd.api.types.is_float_dtype(values):
        values = values.map(missing_or_text)  # 7.0 beside a blank is the 7 of the other side
    # few values occur many times, so each is looked at once
    codes, unique = pd.factorize(values)
    text = pd.Series(unique).astype("str").str.strip()
    text = text.where(~text.str.lower().isin(["", "nan"]))
    found: pd.Series[str] = text.reindex(codes).reset_index(drop=True)
    return found.astype("str")


def _as_scores(values: pd.Series[str], problems: list[str]) -> pd.Series[float]:
    if pd.api.types.is_numeric_dtype(values):
        scores = values.astype(np.float64)
        blank = scores.isna()
    else:
        text = values.astype("str").str.strip()
        blank = values.isna() | text.str.lower().isin(_MISSING_SCORES)
        scores = pd.to_numeric(text.where(~blank), errors="coerce").astype(np.float64)
    bad = ((scores.isna() & ~blank) | np.isinf(scores)).to_numpy()
    problems += [
        f"row {i + 1}, score: {values.iloc[i]!r} is not a finite number (leave it blank for a "
        "failed comparison)"
        for i in np.flatnonzero(bad)[:50]
    ]
    return scores
