"""``benchmark=demogpairs``: DemogPairs, six groups of 100 persons with 18 images each."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.benchmarks._layout import (
    IMAGE_SUFFIXES,
    Origin,
    face_set,
    images_below,
    need_folder,
)
from frbench.errors import InputError
from frbench.values import FaceSet

_LOADER_VERSION = 1
ORIGIN = Origin(
    "DemogPairs",
    "on request from its authors (Hupont and Fernandez, FG 2019)",
    "research; made from CASIA-WebFace, VGGFace and VGGFace2",
    "the people's folders and the lists Asian_Females.txt … White_Males.txt",
)
_GROUP = re.compile(r"(?P<race>Asian|Black|White)_(?P<sex>Females|Males)", re.IGNORECASE)
_OFFICIAL = (100, 18)


class DemogPairsBenchmark:
    """Images as ``<person>/<image>``, groups from lists named ``Asian_Females*.txt`` and so on.

    Each line of a list names an image, with or without further columns and with or without a
    header line; lists may stand in any folder below ``metadata``. Without lists the layout
    ``<group>/<person>/<image>`` is accepted. The distributor's own description of the layout was
    not at hand: both forms were seen in published code that reads the set.
    """

    def __init__(self, *, root: str, metadata: str | None = None) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: the folder of the images.
            metadata: the folder of the lists; default: the root or the one above it.
        """
        self._root = Path(root).expanduser()
        self._metadata = None if metadata is None else Path(metadata).expanduser()

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming what does not fit."""
        need_folder(self._root, ORIGIN)
        images = images_below(self._root)
        lists = self._lists()
        if lists:
            frame, notices, words = _from_lists(lists, images)
        else:
            frame, notices, words = _from_folders(self._root, images)
        _refuse_two_groups(frame, self._root)
        said = "set by the authors from the sources' labels and by eye"
        return face_set(
            "demogpairs",
            self._root,
            frame,
            labels=["sex", "ethnicity"],
            loader=_LOADER_VERSION,
            about={**ORIGIN.about(self._root), **words, **_counts(frame)},
            provenance={"sex": said, "ethnicity": said},
            sources=("demogpairs", "casia-webface", "vggface", "vggface2"),
            notices=notices,
        )

    def _lists(self) -> list[Path]:
        """All lists, training and validation parts included."""
        if self._metadata is not None and not self._metadata.is_dir():
            raise InputError(f"benchmark.metadata={self._metadata} is not a folder; check the path")
        places = [self._metadata] if self._metadata else [self._root, self._root.parent]
        for place in places:
            nested = [place, *(place / name for name in ("Metadata", "metadata"))]
            found = sorted(
                file
                for folder in nested
                if folder.is_dir()
                for file in (folder.rglob("*.txt") if folder != place else folder.glob("*.txt"))
                if _GROUP.match(file.stem)
            )
            if found:
                return found
        if self._metadata is not None:
            raise InputError(
                f"benchmark.metadata={self._metadata} holds no list such as Asian_Females.txt"
            )
        return []


def _group(name: str) -> tuple[str, str] | None:
    match = _GROUP.match(name)
    if match is None:
        return None
    return match["sex"].lower().removesuffix("s"), match["race"].lower()


def _from_lists(
    lists: list[Path], images: list[str]
) -> tuple[pd.DataFrame, list[str], dict[str, str]]:
    by_tail = {"/".join(path.split("/")[-2:]): path for path in images if "/" in path}
    rows, absent, problems = {}, [], []
    for file in lists:
        group = _group(file.stem)
        assert group is not None
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        for number, line in enumerate(lines, start=1):
            named = [each for each in re.split(r"[\s,;]+", line) if _is_image(each)]
            if not named:
                if line.strip() and number > 1:
                    problems.append(f"{file.name}, line {number}: {line[:60]!r} names no image")
                continue
            tail = "/".join(named[0].replace("\\", "/").split("/")[-2:])
            if tail not in by_tail:
                absent.append(f"{file.name}, line {number}: no image {tail}")
            else:
                rows[by_tail[tail], group] = tail.split("/")[0]
    if problems or absent:
        raise InputError.listing(
            f"the lists of DemogPairs: {len(problems) + len(absent)} lines cannot be used; "
            "complete the images or mend the lists:",
            [*problems, *absent],
        )
    frame = pd.DataFrame(
        [(path, person, *group) for (path, group), person in sorted(rows.items())],
        columns=["path", "subject_id", "sex", "ethnicity"],
        dtype="str",
    )
    spare = sorted(set(images) - set(frame["path"]))
    words = {"identities": f"folders, groups from {len(lists)} lists"}
    if spare:
        words["left_out"] = f"{len(spare)} images that no list names"
    return frame, [f"{path}: in no list; left out" for path in spare], words


def _is_image(text: str) -> bool:
    path = PurePosixPath(text.replace("\\", "/"))
    return len(path.parts) > 1 and path.suffix.lower() in IMAGE_SUFFIXES


def _from_folders(root: Path, images: list[str]) -> tuple[pd.DataFrame, list[str], dict[str, str]]:
    rows, notices = [], []
    for path in images:
        parts = path.split("/")
        group = _group(parts[-3]) if len(parts) >= 3 else None
        if group is None:
            notices.append(f"{path}: not in group/person; left out")
        else:
            rows.append((path, parts[-2], *group))
    if not rows:
        raise InputError(
            f"benchmark.root={root}: no list such as Asian_Females.txt and no folder of that name, "
            f"so nothing says which group anybody is in; {ORIGIN.remedy()}"
        )
    columns = ["path", "subject_id", "sex", "ethnicity"]
    frame = pd.DataFrame(rows, columns=columns, dtype="str")
    return frame, notices, {"identities": "folders, groups from the folders above them"}


def _refuse_two_groups(frame: pd.DataFrame, root: Path) -> None:
    group = frame["ethnicity"] + " " + frame["sex"]
    groups = group.groupby(frame["subject_id"]).agg(lambda each: ", ".join(sorted(set(each))))
    twice = [f"{person}: {where}" for person, where in groups.items() if ", " in where]
    if twice:
        raise InputError.listing(
            f"benchmark.root={root}: {len(twice)} persons stand in two groups; mend the lists:",
            twice,
        )


def _counts(frame: pd.DataFrame) -> dict[str, str]:
    images = frame.groupby("subject_id").size()
    persons = frame.drop_duplicates("subject_id").groupby(["sex", "ethnicity"]).size()
    if len(persons) == 6 and set(persons) == {_OFFICIAL[0]} and set(images) == {_OFFICIAL[1]}:
        return {}
    return {
        "counts": f"{len(images)} persons and {len(frame)} images in {len(persons)} groups; "
        "officially 600 persons in 6 with 18 images each"
    }
