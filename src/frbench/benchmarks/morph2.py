"""``benchmark=morph2``: MORPH-II, custody-like photographs named after person, sex and age."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.benchmarks._layout import (
    Origin,
    contradictions,
    face_set,
    first_file,
    images_below,
    need_folder,
    refuse_unknown,
)
from frbench.errors import InputError
from frbench.table_files import StringTable, read_strings
from frbench.values import FaceSet

_LOADER_VERSION = 1
ORIGIN = Origin(
    "MORPH-II",
    "from the University of North Carolina Wilmington",
    "by licence, paid for commercial use; photographs taken on arrest",
    "files named 009055_1M54.JPG",
)
_NAME = re.compile(r"(?P<id>\d+)_(?P<picture>\d+)(?P<sex>[MF])(?P<age>\d{1,3})", re.IGNORECASE)
SEXES: dict[str, str | None] = {"M": "male", "F": "female"}
RACES: dict[str, str | None] = {
    "B": "black",
    "W": "white",
    "A": "asian",
    "H": "hispanic",
    "O": "other",
}
_TABLES = ("morph_2008_nonCommercial.csv", "morph_2008_Commercial.csv")


class Morph2Benchmark:
    """Files ``<id>_<picture><M|F><age>.JPG``; race and more from the distributor's table.

    The table (``id_num, picture_num, dob, doa, race, gender, facial_hair, age, age_diff, glasses,
    photo``; read in several published projects) is joined by the file's name. Labels are kept as
    recorded for each image: the set contradicts itself about some persons' race, sex and date of
    birth, which is counted, listed on screen, and settled by ``groups.on_conflict``.
    """

    def __init__(self, *, root: str, table: str | None = None) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: the folder that holds the images, at any depth.
            table: the distributor's CSV; default: morph_2008_nonCommercial.csv in the root.
                Without any the file names give sex and age, and nobody's race is known.
        """
        self._root = Path(root).expanduser()
        self._table = None if table is None else Path(table).expanduser()

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming what does not fit."""
        need_folder(self._root, ORIGIN)
        frame, notices = _from_names(self._root)
        file = self._table or first_file(self._root, _TABLES)
        about = ORIGIN.about(self._root)
        labels = ["sex", "age"]
        if file is None:
            about["labels"] = "sex and age from the file names; no table, so no race"
        else:
            frame, more, counted = _joined(frame, read_strings(file, what="benchmark.table"))
            notices += more
            about |= counted
            labels.append("race")
        for column in (name for name in ("sex", "race", "dob") if name in frame):
            found = contradictions(frame, column)
            notices += found
            about[f"contradictions in {column}"] = f"{len(found)} persons carry two values"
        said = "recorded by the custody officer, as distributed"
        return face_set(
            "morph2",
            self._root,
            frame.drop(columns="dob", errors="ignore"),
            labels=labels,
            loader=_LOADER_VERSION,
            about=about,
            provenance=dict.fromkeys(labels, said),
            sources=("morph-ii",),
            notices=notices,
        )


def _from_names(root: Path) -> tuple[pd.DataFrame, list[str]]:
    rows, notices = [], []
    for path in images_below(root):
        match = _NAME.fullmatch(PurePosixPath(path).stem)
        if match is None:
            notices.append(f"{path}: not named like 009055_1M54.JPG; left out")
            continue
        rows.append((path, match["id"], SEXES[match["sex"].upper()], str(int(match["age"]))))
    if not rows:
        raise InputError(f"benchmark.root={root} holds no 009055_1M54.JPG; {ORIGIN.remedy()}")
    columns = ["path", "subject_id", "sex", "age"]
    return pd.DataFrame(rows, columns=columns, dtype="str"), notices


def _joined(
    frame: pd.DataFrame, table: StringTable
) -> tuple[pd.DataFrame, list[str], dict[str, str]]:
    """The frame with the table's sex, race and date of birth; sex from names where it is silent."""
    rows = table.frame
    absent = [name for name in ("photo", "race", "gender") if name not in rows]
    if absent:
        raise InputError(
            f"benchmark.table={table.path} has no column {', '.join(absent)}; its columns are "
            f"{', '.join(rows.columns)}"
        )
    places = [table.where(row) for row in range(len(rows))]
    for column, codes in (("race", RACES), ("gender", SEXES)):
        refuse_unknown(rows[column].str.upper(), codes, places, f"{table.path}, column {column}")
    key = rows["photo"].map(
        lambda photo: PurePosixPath(photo.replace("\\", "/")).stem.lower(), na_action="ignore"
    )
    doubled = key.duplicated() | key.isna()
    mine = frame["path"].map(lambda path: PurePosixPath(path).stem.lower())
    found = rows[~doubled].set_index(key[~doubled]).reindex(mine).reset_index(drop=True)
    said = found["gender"].str.upper().map(SEXES, na_action="ignore")
    other = said.notna() & (said != frame["sex"])
    notices = [
        f"{path}: {table.path.name} says {sex}, the file name another sex"
        for path, sex in zip(frame["path"][other], said[other], strict=True)
    ]
    joined = frame.assign(
        sex=said.where(said.notna(), frame["sex"]).astype("str"),
        race=found["race"].str.upper().map(RACES, na_action="ignore").astype("str"),
    )
    if "dob" in found:
        joined["dob"] = found["dob"]
    unlisted = int((~mine.isin(set(key))).sum())
    counted = {
        "table": f"{len(rows)} rows, {int(doubled.sum())} doubled or without photo; "
        f"{int((~key.isin(set(mine))).sum())} of no image here, {unlisted} images without a row",
        "table against file names": f"{int(other.sum())} images of another sex; the table counts",
    }
    return joined, notices, counted
