"""``benchmark=meds2``: NIST Special Database 32, custody photographs of people now deceased."""

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
    join_labels,
    need_folder,
    refuse_unknown,
)
from frbench.errors import InputError
from frbench.values import FaceSet

_LOADER_VERSION = 1
ORIGIN = Origin(
    "MEDS-II (NIST Special Database 32)",
    "from NIST, NIST_SD32_MEDS-II_face.zip",
    "public domain; deceased people's custody photographs",
    "data/S001/S001-01-t10_01.jpg and so on",
)
_NAME = re.compile(r"(?P<person>S\d{3})-(?P<encounter>\d{2})-t(?P<type>\d{2})_(?P<n>\d{2})")
RACES: dict[str, str | None] = {
    "A": "asian",
    "B": "black",
    "I": "american_indian",
    "W": "white",
    "U": None,
}
"""Codes of NIST's interchange format; U, unknown, is no group."""
SEXES: dict[str, str | None] = {"M": "male", "F": "female", "U": None}


class Meds2Benchmark:
    """Files ``S###-EE-tTT_NN.jpg`` (person, encounter, record type, number), flat or in folders.

    NIST's archive has ``data/S###/<file>``, as public scripts that unpack it show. The labels'
    own file there was not at hand, so they come from a CSV of ``path`` (or ``subject_id``) with
    the columns ``sex`` and ``race`` in NIST's letters, and ``age``; anything else in it is kept
    as a covariate. Half of the 518 persons have a single image and make no mated comparison.
    """

    def __init__(self, *, root: str, labels: str | None = None) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: the folder that holds the images, at any depth.
            labels: CSV or Parquet; default: manifest.csv in the root, if there.
        """
        self._root = Path(root).expanduser()
        self._labels = None if labels is None else Path(labels).expanduser()

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming what does not fit."""
        need_folder(self._root, ORIGIN)
        frame, notices = _from_names(self._root)
        about = ORIGIN.about(self._root)
        file = self._labels or first_file(self._root, ("manifest.csv",))
        labels: list[str] = []
        if file is None:
            about["labels"] = "none given; benchmark.labels=FILE names them"
        else:
            frame, _ = join_labels(frame, file)
            frame, words = _decoded(frame, file)
            about |= words
            labels = [name for name in ("sex", "race", "age") if name in frame]
            for name in (each for each in labels if each != "age"):
                found = contradictions(frame, name)
                notices += found
                about[f"contradictions in {name}"] = f"{len(found)} persons carry two values"
        return face_set(
            "meds2",
            self._root,
            frame,
            labels=labels,
            loader=_LOADER_VERSION,
            about=about,
            provenance=dict.fromkeys(labels, "recorded by the custody officer"),
            sources=("meds-ii",),
            notices=notices,
        )


def _from_names(root: Path) -> tuple[pd.DataFrame, list[str]]:
    rows, notices = [], []
    for path in images_below(root):
        match = _NAME.fullmatch(PurePosixPath(path).stem)
        if match is None:
            notices.append(f"{path}: not named like S001-01-t10_01.jpg; left out")
        else:
            rows.append((path, match["person"], str(int(match["encounter"]))))
    if not rows:
        raise InputError(f"benchmark.root={root} holds no S001-01-t10_01.jpg; {ORIGIN.remedy()}")
    columns = ["path", "subject_id", "encounter"]
    return pd.DataFrame(rows, columns=columns, dtype="str"), notices


def _decoded(frame: pd.DataFrame, file: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Letters become words; a letter that NIST does not know is an error."""
    words = {}
    for column, codes in (("sex", SEXES), ("race", RACES)):
        if column not in frame:
            continue
        letters = frame[column].str.strip().str.upper()
        refuse_unknown(letters, codes, list(frame["path"]), f"{file}, column {column}")
        unknown = int((letters == "U").sum())
        if unknown:
            words[f"unknown {column}"] = f"{unknown} images coded U are unlabelled"
        frame = frame.assign(**{column: letters.map(codes, na_action="ignore").astype("str")})
    return frame, words
