"""MAAD-Face's attributes: a row per image in 1, 0, -1, voted per person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from frbench.benchmarks._kumar import Voted
from frbench.benchmarks._layout import vote
from frbench.errors import InputError

_RACES = {"Asian": "asian", "White": "white", "Black": "black"}
_AGES = {"Young": "young", "Middle_Aged": "middle-aged", "Senior": "senior"}
NEEDED = ("Filename", "Male", *_RACES, *_AGES)


def attributes_of(file: Path, frame: pd.DataFrame) -> Voted:
    """Sex, ethnicity and age group per person, by the majority of the person's images.

    An image has a value where exactly one of its attributes is 1 (for sex: where ``Male`` is not
    0). ``Filename`` is ``n######/####_##.jpg``. Source: Terhörst and others, "MAAD-Face",
    IEEE Transactions on Information Forensics and Security 16 (2021).

    Raises:
        InputError: no such columns, a value that is none of 1, 0, -1, or no row fits the set.
    """
    rows = _rows(file)
    tail = frame["path"].map(lambda path: "/".join(path.split("/")[-2:]))
    doubled = rows.index.duplicated()
    known = rows.index.isin(tail)
    if not known.any():
        raise InputError(f"{file}: none of its {len(rows)} rows is an image of this set")
    mine = rows[~doubled].reindex(tail).reset_index(drop=True)
    images = frame[["subject_id"]].copy()
    images["sex"] = pd.Series(np.where(mine["Male"] > 0, "male", "female")).where(mine["Male"] != 0)
    images.loc[mine["Male"].isna(), "sex"] = None
    images["ethnicity"] = _only_one(mine, _RACES)
    images["age_group"] = _only_one(mine, _AGES)
    settled, about, notices = frame.copy(), {}, []
    for label in ("sex", "ethnicity", "age_group"):
        settled[label], contradicted = vote(images, label)
        notices += contradicted
        about[f"contradictions in {label}"] = (
            f"{len(contradicted)} persons have images of two values; the majority counts, a tie is "
            "unlabelled"
        )
    about["attribute rows"] = (
        f"{len(rows)} rows, {int((~known).sum())} of no image here, {int(doubled.sum())} doubled; "
        f"{int(mine['Male'].isna().sum())} images without a row"
    )
    return Voted(settled, ("sex", "ethnicity", "age_group"), about, notices)


def _rows(file: Path) -> pd.DataFrame:
    try:
        header = pd.read_csv(file, nrows=0)
        absent = [name for name in NEEDED if name not in header.columns]
        if absent:
            raise InputError(
                f"{file} has no column {', '.join(absent)}; give MAAD_Face.csv as distributed"
            )
        rows = pd.read_csv(file, usecols=list(NEEDED), dtype="str", index_col="Filename")
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as a table ({error}); check the path") from None
    allowed = {"1": 1, "0": 0, "-1": -1, "1.0": 1, "0.0": 0, "-1.0": -1}
    numbers: pd.DataFrame = rows.apply(lambda column: column.str.strip().map(allowed))
    bad = numbers.isna()
    if bad.to_numpy().any():
        places = np.argwhere(bad.to_numpy())[:50]
        raise InputError.listing(
            f"{file}: {int(bad.to_numpy().sum())} values are none of 1, 0, -1; mend these rows:",
            [
                f"row {row + 1}, column {rows.columns[column]}: {rows.iloc[row, column]!r}"
                for row, column in places
            ],
        )
    return numbers


def _only_one(rows: pd.DataFrame, names: dict[str, str]) -> pd.Series:
    """The value whose attribute alone is 1; missing where none or several are."""
    positive = rows[list(names)] == 1
    value = positive.idxmax(axis=1).map(names)
    return value.where(positive.sum(axis=1) == 1).astype("str")
