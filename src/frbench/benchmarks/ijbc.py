"""``benchmark=ijbc``: template lists of IJB's kind, several images to a template."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from frbench.benchmarks import Progress, silent
from frbench.benchmarks._layout import Origin, face_set, need_folder, vote
from frbench.errors import InputError
from frbench.values import FaceSet

_LOADER_VERSION = 1
ORIGIN = Origin(
    "IJB-C",
    "on application to NIST; the cropped form with lists is InsightFace's",
    "by agreement; photographs under several licences",
    "loose_crop/<n>.jpg and meta/ijbc_face_tid_mid.txt, meta/ijbc_template_pair_label.txt",
)
PROTOCOLS = ("pairs", "all")
_PERSON_LEVEL = {"GENDER": "gender", "SKINTONE": "skintone", "SKIN_TONE": "skintone"}


class IjbcBenchmark:
    """Templates from ``meta/<subset>_face_tid_mid.txt``: ``image template medium`` on each line.

    A template is the mean of its images' unit vectors, first within a medium and then over media,
    as the set's protocol foresees; a comparison is of two templates, and so is every count.
    ``protocol=pairs`` takes ``meta/<subset>_template_pair_label.txt``: ``template template 1|0``.

    The cropped form is read and not NIST's frames, because a frame shows several people and only
    its box says who is meant. Persons come from ``<subset>_1N_*.csv`` (TEMPLATE_ID, SUBJECT_ID)
    beside the lists; without those, from the mated pairs, so that templates which no list calls
    mated are taken for different persons. Covariates (GENDER, SKINTONE as distributed) are joined
    by SUBJECT_ID. File forms: InsightFace's evaluation code and bob.bio.face's reader.
    """

    def __init__(
        self,
        *,
        root: str,
        subset: str = "ijbc",
        protocol: Literal["pairs", "all"] = "pairs",
        covariates: str | None = None,
    ) -> None:
        """Remember where the set is; nothing is read before ``load``.

        Args:
            root: the folder that holds ``loose_crop`` and ``meta``.
            subset: how the lists' names begin: ijbc or ijbb.
            protocol: ``pairs``, the official list, or ``all`` templates with each other.
            covariates: CSV with SUBJECT_ID and GENDER or SKINTONE, e.g. ijbc_metadata_with_age.csv.
        """
        if protocol not in PROTOCOLS:
            raise InputError(f"protocol={protocol} is unknown; take one of {', '.join(PROTOCOLS)}")
        self._root = Path(root).expanduser()
        self._subset = subset
        self._protocol = protocol
        self._covariates = None if covariates is None else Path(covariates).expanduser()

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The validated set of templates. Raises InputError naming what does not fit."""
        need_folder(self._root, ORIGIN)
        members = self._members()
        templates = np.array(sorted(set(members["template_id"]), key=_by_number), dtype=str)
        pairs = self._pairs(set(templates))
        persons, how = self._persons(templates, pairs)
        frame = pd.DataFrame(
            {"image_id": templates, "subject_id": persons, "path": ""}, dtype="str"
        )
        about = {**ORIGIN.about(self._root), "identities": how}
        about["templates"] = (
            f"{len(templates)} of {len(members)} images, mean of unit vectors within a medium, "
            "then over media"
        )
        labels: list[str] = []
        notices: list[str] = []
        if self._covariates is not None:
            frame, labels, notices, words = _covariates(frame, self._covariates)
            about |= words
        listed = None
        if self._protocol == "pairs":
            _refuse_contradictions(pairs, dict(zip(templates, persons, strict=True)))
            listed = pairs.drop(columns="mated").assign(fold=np.int64(1))
        return face_set(
            self._subset,
            self._root,
            frame,
            labels=labels,
            loader=_LOADER_VERSION,
            about=about,
            provenance=dict.fromkeys(labels, "annotated by people, as distributed"),
            sources=(self._subset,),
            notices=notices,
            pairs=listed,
            members=members,
        )

    def _table(self, name: str, columns: list[str]) -> pd.DataFrame:
        file = self._root / "meta" / name
        if not file.is_file():
            raise InputError(f"{file} is not there; {ORIGIN.remedy()}")
        try:
            table = pd.read_csv(file, sep=r"\s+", header=None, dtype="str")
        except ValueError as error:
            raise InputError(f"{file} is no list of {', '.join(columns)} ({error})") from None
        if table.shape[1] != len(columns) or table.isna().to_numpy().any():
            row = int(np.argmax(table.isna().any(axis=1))) + 1
            raise InputError(
                f"{file}: line {row} does not have the {len(columns)} fields "
                f"{', '.join(columns)}; give the file as it is distributed"
            )
        table.columns = pd.Index(columns)
        return table

    def _members(self) -> pd.DataFrame:
        table = self._table(f"{self._subset}_face_tid_mid.txt", ["image", "template_id", "medium"])
        present = {each.name for each in (self._root / "loose_crop").glob("*")}
        absent = [
            f"line {row + 1}: {name}"
            for row, name in enumerate(table["image"])
            if name not in present
        ]
        if absent:
            raise InputError.listing(
                f"{self._root}/loose_crop: {len(absent)} listed images are not there; complete "
                "the copy:",
                absent,
            )
        return table.assign(path="loose_crop/" + table["image"]).drop(columns="image")

    def _pairs(self, templates: set[str]) -> pd.DataFrame:
        name = f"{self._subset}_template_pair_label.txt"
        if self._protocol == "all" and not (self._root / "meta" / name).is_file():
            return pd.DataFrame({"probe_id": [], "reference_id": [], "mated": []})
        table = self._table(name, ["probe_id", "reference_id", "mated"])
        unknown = sorted(
            (set(table["probe_id"]) | set(table["reference_id"])) - templates, key=_by_number
        )
        if unknown:
            raise InputError.listing(
                f"{self._root}/meta/{name}: {len(unknown)} templates have no images in "
                f"{self._subset}_face_tid_mid.txt; take both lists from one release:",
                unknown,
            )
        odd = ~table["mated"].isin(["0", "1"])
        if odd.any():
            row = int(np.argmax(odd.to_numpy()))
            raise InputError(
                f"{self._root}/meta/{name}: line {row + 1}: the label {table['mated'].iloc[row]!r} "
                "is neither 1 (mated) nor 0"
            )
        return table.assign(mated=table["mated"] == "1")

    def _persons(self, templates: np.ndarray, pairs: pd.DataFrame) -> tuple[list[str], str]:
        files = sorted((self._root / "meta").glob(f"{self._subset}_1N_*.csv"))
        known: dict[str, str] = {}
        for file in files:
            table = pd.read_csv(file, dtype="str")
            if {"TEMPLATE_ID", "SUBJECT_ID"} <= set(table.columns):
                known |= dict(zip(table["TEMPLATE_ID"], table["SUBJECT_ID"], strict=True))
        missing = [each for each in templates if each not in known]
        if known and not missing:
            return [known[each] for each in templates], f"SUBJECT_ID of {len(files)} files"
        if known:
            raise InputError.listing(
                f"{self._root}/meta: {len(missing)} templates have no SUBJECT_ID in "
                f"{', '.join(file.name for file in files)}; complete these files or remove them:",
                missing,
            )
        if self._protocol == "all":
            raise InputError(
                f"{self._root}/meta holds no {self._subset}_1N_*.csv, so it is not known who the "
                "templates show; add them, or take benchmark.protocol=pairs"
            )
        place = pd.Series(np.arange(len(templates)), index=templates)
        mated = pairs[pairs["mated"]]
        ends = place[mated["probe_id"]].to_numpy(), place[mated["reference_id"]].to_numpy()
        links = coo_array((np.ones(len(mated)), ends), shape=(len(templates),) * 2)
        _, component = connected_components(links, directed=False)
        return [f"person {each}" for each in component], "templates linked by mated pairs"


def _by_number(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (-1, text)


def _refuse_contradictions(pairs: pd.DataFrame, person: dict[str, str]) -> None:
    same = pairs["probe_id"].map(person) == pairs["reference_id"].map(person)
    wrong = np.flatnonzero((same != pairs["mated"]).to_numpy())
    if len(wrong):
        raise InputError.listing(
            f"{len(wrong)} pairs are called mated of two persons, or non-mated of one; take all "
            "lists from one release:",
            [
                f"line {row + 1}: {pairs['probe_id'].iloc[row]} {pairs['reference_id'].iloc[row]}"
                for row in wrong[:50]
            ],
        )


def _covariates(
    frame: pd.DataFrame, file: Path
) -> tuple[pd.DataFrame, list[str], list[str], dict[str, str]]:
    """Labels of persons, voted over the file's rows."""
    try:
        table = pd.read_csv(file, dtype="str")
    except (OSError, ValueError) as error:
        raise InputError(f"benchmark.covariates={file} cannot be read ({error})") from None
    names = {old: new for old, new in _PERSON_LEVEL.items() if old in table}
    if "SUBJECT_ID" not in table or not names:
        raise InputError(
            f"benchmark.covariates={file} needs SUBJECT_ID and one of {', '.join(_PERSON_LEVEL)}; "
            f"its columns are {', '.join(table.columns)}"
        )
    rows = table.rename(columns={"SUBJECT_ID": "subject_id", **names})
    notices, words = [], {}
    for name in names.values():
        settled, contradicted = vote(rows, name)
        by_person = settled.groupby(rows["subject_id"]).first()
        frame = frame.assign(**{name: frame["subject_id"].map(by_person).astype("str")})
        notices += contradicted
        words[f"contradictions in {name}"] = (
            f"{len(contradicted)} persons carry two values; the majority counts, a tie is "
            "unlabelled"
        )
    absent = int((~frame["subject_id"].isin(rows["subject_id"])).sum())
    words["covariates"] = f"{file.name}; {absent} templates without a row are unlabelled"
    return frame, list(names.values()), notices, words
