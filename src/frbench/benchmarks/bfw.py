"""``benchmark=bfw``: Balanced Faces in the Wild, eight subgroups of one folder a person."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Literal

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.benchmarks._layout import Origin, face_set, images_below, need_folder
from frbench.errors import InputError
from frbench.values import FaceSet

_LOADER_VERSION = 1
ORIGIN = Origin(
    "Balanced Faces in the Wild",
    "through the form named at github.com/visionjo/facerec-bias-bfw",
    "research and education; made from VGGFace2",
    "the folders asian_females, asian_males … white_males",
)
SUBGROUPS = {
    f"{race}_{plural}": (sex, race)
    for race in ("asian", "black", "indian", "white")
    for sex, plural in (("female", "females"), ("male", "males"))
}
ERRATA = (
    "asian_females/n002509/0139_03",
    "asian_males/n006741/0275_02",
    "white_females/n003391/0017_02",
)
"""Images that show somebody else than their folder says, from the set's repository."""
_PERSONS, _IMAGES = 100, 25


class BfwBenchmark:
    """``<race>_<females|males>/<n######>/<image>``: 8 x 100 persons x 25 images.

    Sex and race are those of the folder, set by the authors. The three known bad images are left
    out. The set's list of scored pairs is ``benchmark=scores benchmark.format=bfw``.

    Layout and errata: the repository visionjo/facerec-bias-bfw.
    """

    def __init__(self, *, root: str, errata: Literal["leave_out", "keep"] = "leave_out") -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: the folder of the eight subgroups' folders.
            errata: whether the known bad images are left out or kept.
        """
        if errata not in ("leave_out", "keep"):
            raise InputError(f"errata={errata} is unknown; take one of leave_out, keep")
        self._root = Path(root).expanduser()
        self._errata = errata

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming what does not fit."""
        _refuse_table(self._root)
        need_folder(self._root, ORIGIN)
        root = _with_subgroups(self._root)
        frame, notices = _people(root)
        bad = frame["path"].map(is_bad)
        about = ORIGIN.about(root)
        if self._errata == "leave_out":
            frame = frame[~bad].reset_index(drop=True)
            about["errata"] = f"{int(bad.sum())} images known to show somebody else are left out"
        else:
            about["errata"] = f"{int(bad.sum())} images known to show somebody else are kept"
        about |= _against_official(frame)
        said = "set by the authors, from the names and faces of VGGFace2's persons"
        return face_set(
            "bfw",
            root,
            frame,
            labels=["sex", "ethnicity"],
            loader=_LOADER_VERSION,
            about=about,
            provenance={"sex": said, "ethnicity": said},
            sources=("bfw", "vggface2"),
            notices=notices,
        )


def is_bad(path: str) -> bool:
    """Whether an image, wherever the set lies, is one of the three of ``ERRATA``.

    >>> is_bad("Users/asian_females/n002509/0139_03.jpg")
    True
    """
    return "/".join(PurePosixPath(path).with_suffix("").parts[-3:]) in ERRATA


def _refuse_table(root: Path) -> None:
    suffix = root.suffix.lower()
    door = (
        "benchmark=scores benchmark.format=bfw benchmark.path=FILE.csv benchmark.column=NAME, "
        "where NAME is the matcher's column, e.g. sphereface"
    )
    if suffix in (".pkl", ".pickle"):
        raise InputError(
            f"benchmark.root={root} is a pickle, which can run code when it is opened, and is not "
            f"read; take the CSV of the data table with {door}"
        )
    if root.is_file():
        raise InputError(f"benchmark.root={root} is a file; a list of scores is read by {door}")


def _with_subgroups(root: Path) -> Path:
    """The root, or the one folder below it that holds all subgroups."""
    candidates = [root, *sorted(each for each in root.iterdir() if each.is_dir())]
    for candidate in candidates:
        if all((candidate / name).is_dir() for name in SUBGROUPS):
            return candidate
    absent = [name for name in SUBGROUPS if not (root / name).is_dir()]
    raise InputError(f"benchmark.root={root} has no {', '.join(absent)}; {ORIGIN.remedy()}")


def _people(root: Path) -> tuple[pd.DataFrame, list[str]]:
    rows, notices = [], []
    homes: dict[str, set[str]] = {}
    for path in images_below(root):
        parts = path.split("/")
        if len(parts) != 3 or parts[0] not in SUBGROUPS:
            notices.append(f"{path}: not in subgroup/person; left out")
            continue
        sex, race = SUBGROUPS[parts[0]]
        homes.setdefault(parts[1], set()).add(parts[0])
        rows.append((path, parts[1], sex, race))
    twice = [f"{person}: {', '.join(sorted(where))}" for person, where in homes.items()
             if len(where) > 1]  # fmt: skip
    if twice:
        raise InputError.listing(
            f"benchmark.root={root}: {len(twice)} persons stand in two subgroups; keep one of "
            "their folders:",
            twice,
        )
    columns = ["path", "subject_id", "sex", "ethnicity"]
    return pd.DataFrame(rows, columns=columns, dtype="str"), notices


def _against_official(frame: pd.DataFrame) -> dict[str, str]:
    persons = frame.drop_duplicates("subject_id").groupby(["sex", "ethnicity"]).size()
    if set(persons) == {_PERSONS} and len(frame) + len(ERRATA) >= 8 * _PERSONS * _IMAGES:
        return {}
    return {
        "counts": f"{int(persons.sum())} persons and {len(frame)} images; officially 800 persons "
        "with 25 images each, fewer the errata"
    }
