"""Kumar's attribute file of LFW: scores of 73 classifiers an image, voted per person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from frbench.benchmarks._layout import vote
from frbench.errors import InputError

_RACES = {"Asian": "asian", "White": "white", "Black": "black", "Indian": "indian"}


@dataclass(frozen=True)
class Voted:
    """The set with voted labels.

    Attributes:
        frame: with the label columns.
        labels: their names.
        about: counts for the record, without names.
        notices: persons whose images contradict each other.
    """

    frame: pd.DataFrame
    labels: tuple[str, ...]
    about: dict[str, str]
    notices: list[str]


def attributes_of(file: Path, frame: pd.DataFrame) -> Voted:
    """Sex and ethnicity per person, by the majority of the person's images.

    An image's sex is the sign of ``Male``; its ethnicity the highest of Asian, White, Black and
    Indian. The file has a comment line, then ``#<TAB>person<TAB>imagenum<TAB>Male …`` and a row
    per image, with blanks where the folders have underscores. The ``#`` of the header line is
    accepted or absent. Source: Kumar, Berg, Belhumeur, Nayar, "Attribute and simile classifiers
    for face verification", ICCV 2009.

    Raises:
        InputError: no such columns, a row that is no number, or no row fits the set.
    """
    rows = _rows(file)
    paths = [
        f"{person}/{person}_{int(number):04d}.jpg"
        for person, number in zip(rows["person"], rows["imagenum"], strict=True)
    ]
    rows.index = pd.Index(paths)
    twice = rows.index.duplicated()
    known = rows.index.isin(frame["path"])
    if not known.any():
        raise InputError(f"{file}: none of its {len(rows)} rows is an image of this set")
    mine = rows[~twice].reindex(frame["path"]).reset_index(drop=True)
    seen = mine["Male"].notna()
    images = frame[["subject_id"]].copy()
    images["sex"] = pd.Series(np.where(mine["Male"] > 0, "male", "female")).where(seen)
    races = [name for name in _RACES if name in mine]
    best = mine[races].fillna(-np.inf).idxmax(axis=1).map(_RACES)
    images["ethnicity"] = best.where(seen)
    settled, about, notices = frame.copy(), {}, []
    for label in ("sex", "ethnicity"):
        settled[label], contradicted = vote(images, label)
        notices += contradicted
        about[f"contradictions in {label}"] = (
            f"{len(contradicted)} persons have images of two values; the majority counts, a tie is "
            "unlabelled"
        )
    about["attribute rows"] = (
        f"{len(rows)} rows, {int((~known).sum())} of no image here, {int(twice.sum())} doubled; "
        f"{int((~seen).sum())} images without a row"
    )
    return Voted(settled, ("sex", "ethnicity"), about, notices)


def _rows(file: Path) -> pd.DataFrame:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); check the path") from None
    place = next((n for n, line in enumerate(lines) if "imagenum" in line.split("\t")), None)
    if place is None:
        raise InputError(
            f"{file} has no header line with person and imagenum between tabs; give "
            "lfw_attributes.txt as it is distributed"
        )
    header = [each.strip() for each in lines[place].lstrip("#").strip().split("\t")]
    header = [each for each in header if each]
    wanted = ["Male", "Asian", "White", "Black"]
    absent = [name for name in wanted if name not in header]
    if absent:
        raise InputError(f"{file} has no column {', '.join(absent)}; give the file as distributed")
    numbers = [name for name in (*wanted, "Indian") if name in header]
    rows, problems = [], []
    for number, line in enumerate(lines[place + 1 :], start=place + 2):
        if not line.strip() or line.startswith("#"):
            continue
        cells = dict(zip(header, line.split("\t"), strict=False))
        try:
            values = [float(cells[name]) for name in numbers]
            rows.append((cells["person"].replace(" ", "_"), int(cells["imagenum"]), *values))
        except (KeyError, ValueError):
            problems.append(f"line {number}: {line[:60]!r}")
    if problems:
        raise InputError.listing(
            f"{file}: {len(problems)} lines are not a person, a number and scores; mend them:",
            problems,
        )
    return pd.DataFrame(rows, columns=["person", "imagenum", *numbers])
