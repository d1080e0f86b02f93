"""``benchmark=rfw``: Racial Faces in the Wild, four races of one folder a person."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.benchmarks._layout import (
    Origin,
    face_set,
    images_below,
    join_labels,
    listed,
    need_folder,
    only_in_pairs,
)
from frbench.benchmarks._pairs import read_pairs
from frbench.errors import InputError
from frbench.values import FaceSet

_LOADER_VERSION = 1
ORIGIN = Origin(
    "Racial Faces in the Wild",
    "by mail to its authors, whdeng.cn/RFW",
    "research only; made from MS-Celeb-1M, whose own distribution was withdrawn",
    "test/data/<Race>/<id>/<id>_0001.jpg and test/txts/<Race>/<Race>_pairs.txt",
)
RACES = ("African", "Asian", "Caucasian", "Indian")
OFFICIAL_PAIRS = 6000
_NAME = re.compile(r"(?P<person>.+)_(?P<number>\d+)\.jpe?g", re.IGNORECASE)
PROTOCOLS = ("pairs", "all")


class RfwBenchmark:
    """``test/data/<Race>/<id>/<id>_0001.jpg`` with ``test/txts/<Race>/<Race>_pairs.txt``.

    A person is ``Race/id``, since a dozen ids stand under two races. ``protocol=pairs`` counts
    the official pairs, which are within a race and, where non-mated, picked to be hard: rates from
    them are not those of a population. ``protocol=all`` compares every image with every other,
    across races too, and leaves out the persons who stand under two races, whom it would compare
    with themselves as if they were two people.

    The race labels were assigned by an algorithm and by nationality. Layout: bob.bio.face's reader
    and the distributor's README; the landmark lists (``*_lmk.txt``, ``erratum1/``) are not read,
    nor the training part, whose folders are flat for three races.
    """

    def __init__(
        self,
        *,
        root: str,
        protocol: Literal["pairs", "all"] = "pairs",
        labels: str | None = None,
    ) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: the folder that holds ``test``, or ``test`` itself.
            protocol: ``pairs``, the official list, or ``all``.
            labels: CSV or Parquet with more labels by the bare id (``subject_id``: m.0xnkj), such
                as the sex that Idiap looked up.
        """
        if protocol not in PROTOCOLS:
            raise InputError(f"protocol={protocol} is unknown; take one of {', '.join(PROTOCOLS)}")
        self._root = Path(root).expanduser()
        self._protocol = protocol
        self._labels = None if labels is None else Path(labels).expanduser()

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming every file or line that does not fit."""
        need_folder(self._root, ORIGIN)
        test = _test_part(self._root)
        frame, notices = _people(test / "data")
        about = ORIGIN.about(test)
        twice = _under_two_races(frame)
        about["persons under two races"] = f"{len(twice)} ids; a person is Race/id"
        notices += [f"{person}: under {', '.join(races)}" for person, races in twice.items()]
        labels = ["race"]
        provenance = {"race": "inferred by its authors, by a classifier and by nationality"}
        if self._labels is not None:
            frame, more = join_labels(frame, self._labels, keys={"subject_id": "bare_id"})
            labels += more
            provenance |= dict.fromkeys(more, f"from {self._labels.name}, as given by the user")
        pairs = None
        if self._protocol == "pairs":
            pairs, remarks = _official(test / "txts", set(frame["path"]))
            frame, others = only_in_pairs(frame, pairs)
            about["left_out"] = f"{others} images that no pair names"
            about |= remarks
            about["non-mated pairs"] = "within a race, picked to be hard: not a population's FMR"
        else:
            alone = ~frame["bare_id"].isin(list(twice))
            about["left_out"] = f"{int((~alone).sum())} images of persons under two races"
            frame = frame[alone].reset_index(drop=True)
        return face_set(
            "rfw",
            test / "data",
            frame.drop(columns="bare_id"),
            labels=labels,
            loader=_LOADER_VERSION,
            about=about,
            provenance=provenance,
            sources=("rfw", "ms-celeb-1m"),
            notices=notices,
            pairs=pairs,
        )


def _test_part(root: Path) -> Path:
    for candidate in (root / "test", root):
        if (candidate / "data").is_dir() and (candidate / "txts").is_dir():
            return candidate
    if (root / "data").is_dir() and (root.name == "train" or not (root / "txts").is_dir()):
        raise InputError(
            f"benchmark.root={root} looks like the training part, in which three races lie flat "
            f"and there are no pairs; {ORIGIN.remedy()}"
        )
    raise InputError(f"benchmark.root={root} holds no test/data and test/txts; {ORIGIN.remedy()}")


def _people(data: Path) -> tuple[pd.DataFrame, list[str]]:
    absent = [race for race in RACES if not (data / race).is_dir()]
    if absent:
        raise InputError(
            f"{data} has no folder {', '.join(absent)}; RFW compares four races, so complete the "
            f"copy ({ORIGIN.remedy()})"
        )
    rows, flat, odd = [], [], []
    for path in images_below(data):
        parts = path.split("/")
        match = _NAME.fullmatch(parts[-1])
        if parts[0] not in RACES:
            odd.append(f"{path}: no race of RFW; left out")
        elif len(parts) == 2:
            flat.append(path)
        elif len(parts) != 3 or match is None or match["person"] != parts[1]:
            odd.append(f"{path}: not named like Race/id/id_0001.jpg; left out")
        else:
            rows.append((path, f"{parts[0]}/{parts[1]}", parts[0], parts[1]))
    if flat:
        raise InputError(
            f"{data}: {len(flat)} images lie directly in a race's folder, e.g. {flat[0]}, as in "
            f"the training part, so nothing says who is on them; {ORIGIN.remedy()}"
        )
    columns = ["path", "subject_id", "race", "bare_id"]
    return pd.DataFrame(rows, columns=columns, dtype="str"), odd


def _under_two_races(frame: pd.DataFrame) -> dict[str, list[str]]:
    races = frame.drop_duplicates("subject_id").groupby("bare_id")["race"].apply(sorted)
    return {str(person): list(each) for person, each in races.items() if len(each) > 1}


def _official(txts: Path, known: set[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """The pairs of all races, and what is unusual about them."""
    files = {race: txts / race / f"{race}_pairs.txt" for race in RACES}
    absent = [str(file) for file in files.values() if not file.is_file()]
    if absent:
        raise InputError(
            f"no {listed(absent)}; complete the folder txts, or take benchmark.protocol=all"
        )
    tables, remarks = [], {}
    by_number = _by_number(known)
    for race, file in files.items():

        def image(person: str, number: int, race: str = race) -> str:
            fallback = f"{race}/{person}/{person}_{number:04d}.jpg"
            return by_number.get((race, person, number), fallback)

        found = read_pairs(file, image, known)
        tables.append(found.pairs)
        words = [each for each in found.remarks if not each.startswith("no header")]
        folds = found.pairs["fold"].nunique()
        if len(found.pairs) != OFFICIAL_PAIRS or folds != 10:
            words.append(f"{len(found.pairs)} pairs in {folds} folds, officially 6000 in 10")
        if words:
            remarks[f"pairs of {race}"] = "; ".join(words)
    return pd.concat(tables, ignore_index=True), remarks


def _by_number(known: set[str]) -> dict[tuple[str, str, int], str]:
    """Where each numbered image lies, however many digits its name has."""
    places = {}
    for path in known:
        race, person, name = path.split("/")
        match = _NAME.fullmatch(name)
        assert match is not None
        places[race, person, int(match["number"])] = path
    return places
