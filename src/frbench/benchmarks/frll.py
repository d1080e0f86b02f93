"""``benchmark=frll``: the Face Research Lab London set, 102 adults in a studio."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.benchmarks._layout import (
    Origin,
    face_set,
    first_file,
    images_below,
    join_labels,
    need_folder,
)
from frbench.errors import InputError
from frbench.table_files import read_strings
from frbench.values import FaceSet

_LOADER_VERSION = 1
ORIGIN = Origin(
    "Face Research Lab London Set",
    "from figshare, doi 10.6084/m9.figshare.5047666 (DeBruine and Jones)",
    "CC BY 4.0: name the authors where a result is shown",
    "neutral_front/001_03.jpg and so on, with london_faces_info.csv",
)
_NAME = re.compile(r"(?P<person>\d{3})_(?P<code>\d{2})")
_VIEWS = ("front", "left_3quarter", "right_3quarter", "left_profile", "right_profile")
_INFO = ("london_faces_info.csv", "../london_faces_info.csv", "neutral_front/london_faces_info.csv")
_COLUMNS = {"face_sex": "sex", "face_gender": "sex", "face_eth": "ethnicity", "face_age": "age"}


class FrllBenchmark:
    """``<expression>_<view>/<person>_<code>.jpg`` and ``london_faces_info.csv``.

    The archive's folders are ``neutral_front``, ``smiling_left_3quarter`` and so on; copies that
    are complete, partial or resized are all accepted. The table has ``face_id`` (X001 or 001),
    ``face_age``, ``face_sex`` or ``face_gender``, and ``face_eth``, self-reported; a manifest.csv
    with ``path, subject_id, sex, ethnicity, age`` does instead. View and expression are
    covariates. Landmark files (``.tem``) and what a Macintosh leaves in archives are passed over.
    """

    def __init__(self, *, root: str, labels: str | None = None) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: the folder of the views' folders.
            labels: london_faces_info.csv, or a CSV or Parquet with path or subject_id; default:
                the former in the root, else manifest.csv there.
        """
        self._root = Path(root).expanduser()
        self._labels = None if labels is None else Path(labels).expanduser()

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming what does not fit."""
        need_folder(self._root, ORIGIN)
        frame, notices = _from_names(self._root)
        about = ORIGIN.about(self._root)
        file = self._labels or first_file(self._root, (*_INFO, "manifest.csv"))
        if file is None:
            about["labels"] = "none: london_faces_info.csv is not there; benchmark.labels names it"
        elif "face_id" in read_strings(file, what="benchmark.labels").frame:
            frame, words = _with_info(frame, file)
            about |= words
        else:
            frame, _ = join_labels(frame, file)
        labels = [name for name in ("sex", "ethnicity", "age") if name in frame]
        return face_set(
            "frll",
            self._root,
            frame,
            labels=labels,
            loader=_LOADER_VERSION,
            about=about,
            provenance=dict.fromkeys(labels, "self-reported by the people photographed"),
            sources=("frll",),
            notices=notices,
        )


def _from_names(root: Path) -> tuple[pd.DataFrame, list[str]]:
    rows, notices = [], []
    for path in images_below(root):
        match = _NAME.fullmatch(PurePosixPath(path).stem)
        folders = PurePosixPath(path).parts[:-1]
        if match is None or "__MACOSX" in folders:
            notices.append(f"{path}: not named like neutral_front/001_03.jpg; left out")
            continue
        expression, _, view = folders[-1].partition("_") if folders else ("", "", "")
        known = expression in ("neutral", "smiling") and view in _VIEWS
        rows.append((path, match["person"], view if known else None, expression if known else None))
    if not rows:
        raise InputError(f"benchmark.root={root} holds no 001_03.jpg; {ORIGIN.remedy()}")
    columns = ["path", "subject_id", "view", "expression"]
    return pd.DataFrame(rows, columns=columns, dtype="str"), notices


def _with_info(frame: pd.DataFrame, file: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    table = read_strings(file, what="benchmark.labels")
    person = table.frame["face_id"].str.strip().str.upper().str.lstrip("X").str.zfill(3)
    doubled = [table.where(row) for row, twice in enumerate(person.duplicated()) if twice]
    if doubled:
        raise InputError.listing(
            f"benchmark.labels={file}: {len(doubled)} rows name a person again; remove them:",
            doubled,
        )
    rows = table.frame.rename(columns=_COLUMNS).set_index(person)
    absent = sorted(set(frame["subject_id"]) - set(person.dropna()))
    names = [name for name in ("sex", "ethnicity", "age") if name in rows]
    if not names:
        raise InputError(
            f"benchmark.labels={file} has none of {', '.join(_COLUMNS)}; its columns are "
            f"{', '.join(table.frame.columns)}"
        )
    values = rows[names].reindex(frame["subject_id"]).reset_index(drop=True)
    words = {"labels": f"{file.name}; {len(absent)} persons without a row are unlabelled"}
    return pd.concat([frame, values], axis=1), words
