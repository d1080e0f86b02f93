"""``benchmark=lfw``: Labeled Faces in the Wild, one folder a person, with its official pairs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.benchmarks._kumar import attributes_of
from frbench.benchmarks._layout import (
    Origin,
    face_set,
    first_file,
    images_below,
    join_labels,
    need_folder,
    only_in_pairs,
)
from frbench.benchmarks._pairs import PairFile, read_pairs
from frbench.errors import InputError
from frbench.values import FaceSet

_LOADER_VERSION = 1
ORIGIN = Origin(
    "Labeled Faces in the Wild",
    "from the University of Massachusetts, vis-www.cs.umass.edu/lfw, lfw.tgz and pairs.txt",
    "research use; photographs of public figures from the news",
    "one folder a person with Name_0001.jpg in it",
)
_UNPACKED = ("lfw", "lfw_funneled", "lfw-deepfunneled", "lfw-funneled")
_NAME = re.compile(r"(?P<person>.+)_(?P<number>\d{4})\.jpe?g", re.IGNORECASE)
PROTOCOLS = ("all", "pairs")


class LfwBenchmark:
    """``Name/Name_0001.jpg``, as the distributor's archive unpacks.

    Labels are not part of the set. They come from a CSV of one's own (``path`` or ``subject_id``
    and label columns) or from Kumar's attribute file, whose scores of 73 classifiers are voted
    per person: inferred by a machine, and contradicting themselves for many persons.

    ``protocol=pairs`` counts the pairs of ``pairs.txt`` only (10 folds of 300 mated and 300
    non-mated ones). Layout and list format: the distributor's README.
    """

    def __init__(
        self,
        *,
        root: str,
        protocol: Literal["all", "pairs"] = "all",
        pairs: str | None = None,
        labels: str | None = None,
        attributes: str | None = None,
    ) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: the folder of the people's folders, or the one that the archive was unpacked in.
            protocol: ``all`` compares every image with every other; ``pairs`` the official list.
            pairs: the list; default: pairs.txt in the root or beside it.
            labels: CSV or Parquet of labels, a row per image (path) or per person (subject_id).
            attributes: Kumar's lfw_attributes.txt.
        """
        if protocol not in PROTOCOLS:
            raise InputError(f"protocol={protocol} is unknown; take one of {', '.join(PROTOCOLS)}")
        if labels is not None and attributes is not None:
            raise InputError("labels and attributes both name labels; give one of them")
        self._root = Path(root).expanduser()
        self._protocol = protocol
        self._pairs = None if pairs is None else Path(pairs).expanduser()
        self._labels = None if labels is None else Path(labels).expanduser()
        self._attributes = None if attributes is None else Path(attributes).expanduser()

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set. Raises InputError naming every file or line that does not fit."""
        need_folder(self._root, ORIGIN)
        root = _unpacked(self._root)
        frame, notices = _people(root)
        about = ORIGIN.about(root)
        names: list[str] = []
        provenance = {}
        if self._labels is not None:
            frame, names = join_labels(frame, self._labels)
            provenance = dict.fromkeys(names, f"from {self._labels.name}, as given by the user")
        elif self._attributes is not None:
            voted = attributes_of(self._attributes, frame)
            frame, names = voted.frame, list(voted.labels)
            provenance = dict.fromkeys(names, "inferred by Kumar's classifiers, voted per person")
            about |= voted.about
            notices += voted.notices
        pairs = None
        if self._protocol == "pairs":
            found = self._pair_file(root, frame)
            frame, others = only_in_pairs(frame, found.pairs)
            pairs = found.pairs
            about["left_out"] = f"{others} images that no pair names"
            about |= {f"pairs {n}": text for n, text in enumerate(found.remarks, start=1)}
        return face_set(
            "lfw",
            root,
            frame,
            labels=names,
            loader=_LOADER_VERSION,
            about=about,
            provenance=provenance,
            sources=("lfw",),
            notices=notices,
            pairs=pairs,
        )

    def _pair_file(self, root: Path, frame: pd.DataFrame) -> PairFile:
        file = self._pairs or first_file(root, ("pairs.txt", "../pairs.txt", "../../pairs.txt"))
        if file is None:
            raise InputError(
                f"benchmark.root={root}: no pairs.txt in it or beside it; it is a file of its own "
                "on the distributor's page, and benchmark.pairs=FILE names it"
            )
        known = {str(path).lower(): str(path) for path in frame["path"]}

        def image(person: str, number: int) -> str:
            path = f"{person}/{person}_{number:04d}.jpg"
            return known.get(path.lower(), path)

        return read_pairs(file, image, set(frame["path"]))


def _unpacked(root: Path) -> Path:
    """The root, or the folder below it that the archive made."""
    below = [root / name for name in _UNPACKED if (root / name).is_dir()]
    has_people = any(each.is_dir() and each.name not in _UNPACKED for each in root.iterdir())
    if len(below) > 1 and not has_people:
        raise InputError(
            f"benchmark.root={root} holds {' and '.join(each.name for each in below)}, which are "
            "the same people; name one of them"
        )
    return below[0] if below and not has_people else root


def _people(root: Path) -> tuple[pd.DataFrame, list[str]]:
    rows, notices, strangers = [], [], []
    for path in images_below(root):
        folder, _, name = path.rpartition("/")
        match = _NAME.fullmatch(name)
        if match is None or "/" in folder or not folder:
            notices.append(f"{path}: not named like Name/Name_0001.jpg; left out")
        elif match["person"] != folder:
            strangers.append(f"{path} lies in the folder of {folder!r}")
        else:
            rows.append((path, folder))
    if strangers:
        raise InputError.listing(
            f"benchmark.root={root}: {len(strangers)} images lie in another person's folder; "
            "unpack the archive again:",
            strangers,
        )
    if not rows:
        raise InputError(f"benchmark.root={root} holds no Name/Name_0001.jpg; {ORIGIN.remedy()}")
    return pd.DataFrame(rows, columns=["path", "subject_id"], dtype="str"), notices
