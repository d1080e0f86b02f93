"""``benchmark=vggface2`` and ``benchmark=maadface``: VGGFace2, with its own or voted labels."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Literal

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.benchmarks._layout import (
    Origin,
    face_set,
    first_file,
    images_below,
    need_folder,
    refuse_unknown,
)
from frbench.benchmarks._maad import attributes_of
from frbench.errors import InputError
from frbench.values import FaceSet

_LOADER_VERSION = 1
ORIGIN = Origin(
    "VGGFace2",
    "no longer from its authors in Oxford; copies circulate",
    "CC BY-SA 4.0 as once distributed, the photographs' rights with their owners; MAAD-Face's "
    "labels: CC BY-SA 4.0, github.com/pterhoer/MAAD-Face",
    "train/n######/####_##.jpg, test/n######/… and identity_meta.csv",
)
_PERSON = re.compile(r"n\d{6}")
_META = ("identity_meta.csv", "meta/identity_meta.csv", "../identity_meta.csv")
SEXES: dict[str, str | None] = {"m": "male", "f": "female"}
PARTS = ("test", "train", "both")


class Vggface2Benchmark:
    """``<part>/n######/####_##.jpg``, sex from ``identity_meta.csv``.

    With MAAD-Face's ``attributes`` (a row per image, 47 columns in 1, 0, -1) sex, ethnicity and
    age group are the majority of the person's images; persons whose images contradict each other
    are counted and listed on screen. Those labels were inferred by networks.

    The table's rows are ``Class_ID, Name, Sample_Num, Flag, Gender`` with spaces after the commas
    and with names that hold commas and quotes; only the first and the last three cells are read,
    and no name is kept.
    """

    def __init__(
        self,
        *,
        root: str,
        part: Literal["test", "train", "both"] = "test",
        meta: str | None = None,
        attributes: str | None = None,
    ) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: the folder that holds ``train`` and ``test``, or the persons' folders themselves.
            part: which of the two.
            meta: identity_meta.csv; default: in the root.
            attributes: MAAD_Face.csv; None takes sex from ``meta`` alone.
        """
        if part not in PARTS:
            raise InputError(f"part={part} is unknown; take one of {', '.join(PARTS)}")
        self._root = Path(root).expanduser()
        self._part = part
        self._meta = None if meta is None else Path(meta).expanduser()
        self._attributes = None if attributes is None else Path(attributes).expanduser()

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming what does not fit."""
        need_folder(self._root, ORIGIN)
        frame, notices = self._people()
        about = {**ORIGIN.about(self._root), "part": self._part}
        labels, said = [], "inferred by MAAD-Face's networks, voted per person"
        if self._attributes is not None:
            voted = attributes_of(self._attributes, frame)
            frame, labels = voted.frame, list(voted.labels)
            about |= voted.about
            notices += voted.notices
        else:
            file = self._meta or first_file(self._root, _META)
            if file is None:
                about["labels"] = "none: identity_meta.csv is not there; benchmark.meta names it"
            else:
                sexes = _sexes(file)
                frame["sex"] = frame["subject_id"].map(sexes).astype("str")
                absent = frame["subject_id"][~frame["subject_id"].isin(sexes)].nunique()
                about["labels"] = f"{file.name}; {absent} persons without a row are unlabelled"
                labels, said = ["sex"], "set by the authors from the persons' names"
        return face_set(
            "maadface" if self._attributes is not None else "vggface2",
            self._root,
            frame,
            labels=labels,
            loader=_LOADER_VERSION,
            about=about,
            provenance=dict.fromkeys(labels, said),
            sources=("vggface2",),
            notices=notices,
        )

    def _people(self) -> tuple[pd.DataFrame, list[str]]:
        parts = ("train", "test") if self._part == "both" else (self._part,)
        present = [part for part in parts if (self._root / part).is_dir()]
        bare = any(_PERSON.fullmatch(each.name) for each in self._root.iterdir() if each.is_dir())
        if not bare and len(present) < len(parts):
            raise InputError(
                f"benchmark.root={self._root} holds no {' and no '.join(set(parts) - set(present))}"
                f" and no n######; {ORIGIN.remedy()}"
            )
        rows, notices = [], []
        for part in [""] if bare else present:
            for below in images_below(self._root / part):
                person = below.split("/")[-2] if "/" in below else ""
                path = f"{part}/{below}" if part else below
                if _PERSON.fullmatch(person):
                    rows.append((path, person))
                else:
                    notices.append(f"{path}: not in a person's folder n######; left out")
        return pd.DataFrame(rows, columns=["path", "subject_id"], dtype="str"), notices


def _sexes(file: Path) -> dict[str, str | None]:
    """Person -> sex. Only the first and the last cell of a row are read."""
    try:
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); check the path") from None
    cells = [
        [cell.strip().strip('"') for cell in row]
        for row in csv.reader(lines, skipinitialspace=True)
        if row
    ]
    if not cells or cells[0][0] != "Class_ID" or cells[0][-1] != "Gender":
        raise InputError(f"{file} does not begin with Class_ID, …, Gender; give identity_meta.csv")
    person = [row[0] for row in cells[1:]]
    sex = pd.Series([row[-1].lower() or None for row in cells[1:]], dtype="str")
    where = [f"row {number}" for number in range(1, len(sex) + 1)]
    refuse_unknown(sex, SEXES, where, f"{file}, column Gender")
    return {name: SEXES.get(code) for name, code in zip(person, sex.fillna(""), strict=True)}
