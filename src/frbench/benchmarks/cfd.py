"""``benchmark=cfd``: the Chicago Face Database, whose file names say who is on them."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.benchmarks._layout import Origin, face_set, images_below, need_folder
from frbench.errors import InputError
from frbench.values import FaceSet

_LOADER_VERSION = 1
ORIGIN = Origin(
    "Chicago Face Database",
    "from the University of Chicago, chicagofaces.org",
    "free for research, not to be passed on",
    "files named CFD-WM-001-014-N.jpg",
)
_NAME = re.compile(
    r"CFD-(?P<race>[A-Z])(?P<sex>[A-Z])-(?P<person>\d+)-(?P<image>\d+)-(?P<face>[A-Z]+)",
    re.IGNORECASE,
)
RACES = {
    "A": "asian",
    "B": "black",
    "L": "latino",
    "W": "white",
    "M": "multiracial",
    "I": "indian",
}
SEXES = {"F": "female", "M": "male"}
FACES = {"N": "neutral", "A": "angry", "F": "fearful", "HC": "happy", "HO": "happy, open mouth"}


class CfdBenchmark:
    """``CFD-<race><sex>-<person>-<image>-<expression>.jpg`` at any depth, extensions included.

    Race is self-identified in the main set and the extension MR; in the extension INDIA all are
    I. Most persons have one neutral photograph only, so there are few mated comparisons. The name
    pattern is remembered from the distributor's guide and was not seen for this version.
    """

    def __init__(self, *, root: str) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: the folder that holds the images, at any depth.
        """
        self._root = Path(root).expanduser()

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError listing every unknown code."""
        need_folder(self._root, ORIGIN)
        rows, notices, problems = [], [], []
        for path in images_below(self._root):
            match = _NAME.fullmatch(PurePosixPath(path).stem)
            if match is None:
                notices.append(f"{path}: not named like CFD-WM-001-014-N.jpg; left out")
                continue
            race, sex, face = (match[part].upper() for part in ("race", "sex", "face"))
            if race not in RACES or sex not in SEXES or face not in FACES:
                problems.append(f"{path}: code {race}{sex} or {face}")
                continue
            person = f"{race}{sex}-{match['person']}"
            rows.append((path, person, SEXES[sex], RACES[race], FACES[face]))
        if problems:
            raise InputError.listing(
                f"benchmark.root={self._root}: {len(problems)} names carry codes that the set does "
                f"not have ({', '.join(RACES)}; {', '.join(SEXES)}; {', '.join(FACES)}):",
                problems,
            )
        if not rows:
            raise InputError(
                f"benchmark.root={self._root} holds no CFD-WM-001-014-N.jpg; {ORIGIN.remedy()}"
            )
        columns = ["path", "subject_id", "sex", "ethnicity", "expression"]
        said = "self-identified by the people photographed"
        return face_set(
            "cfd",
            self._root,
            pd.DataFrame(rows, columns=columns, dtype="str"),
            labels=["sex", "ethnicity"],
            loader=_LOADER_VERSION,
            about=ORIGIN.about(self._root),
            provenance={"sex": said, "ethnicity": said},
            sources=("cfd",),
            notices=notices,
        )
