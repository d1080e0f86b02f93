"""A custody or training manifest, cleaned in the open: every fault is counted and said.

Nothing is dropped in silence. A row keeps its place unless it names no person or repeats a path;
a value that cannot be believed (a date in the future) becomes unknown, and the fault says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from frbench.digests import digest_file
from frbench.errors import InputError
from frbench.values import Int32s

KNOWN = ("path", "subject_id", "captured", "disposal", "retained_until", "source")
UNKNOWN = "unknown"
NOT_SAID = ("not stated", "not known", "unknown", "refused", "NS", "IC9", "IC0")
"""Words and codes by which a manifest says that a label is not known."""
WITHOUT_CHARGE = ("released_without_charge", "no_further_action")
"""Disposals after which the guidance's example asks why the image is still there."""

OVERLAP_COLUMNS = ("way", "unit", "shared", "of", "by_chance", "checked", "note")
"""A row per way of looking. shared: units of the benchmark found in the training set, of ``of``.
by_chance: how many would be found by chance at the most (95 %), 0 where chance has no part.
checked: False where the way could not be gone, for the reason in ``note``."""


@dataclass(frozen=True)
class TrainingSet:
    """The rows of a manifest that can be counted.

    Attributes:
        name: short name, as results print it.
        table: a row per image: ``path`` str; ``captured``, ``retained_until`` datetime64, missing
            where unknown; ``disposal``, ``source`` category; a category column per label, missing
            where blank.
        person: int32 [N], code of the person on each row.
        subjects: str [P], the id behind each code.
        labels: names of the label columns.
        dated, disposed: whether the manifest has capture dates, and disposals, at all.
        faults: FaultTable: ``fault``, ``column``, ``rows`` int64, ``done``, ``example``.
        rows: rows read, before any was left out.
        sha256: of the file's bytes.
        synthetic: True when nobody real is described.
    """

    name: str
    table: pd.DataFrame
    person: Int32s
    subjects: pd.Index[str]
    labels: tuple[str, ...]
    dated: bool
    disposed: bool
    faults: pd.DataFrame
    rows: int
    sha256: str
    synthetic: bool = False


class TrainingManifest:
    """``training_set=manifest``: a CSV or Parquet file with a row per image.

    Columns ``path, subject_id``; optionally ``captured``, ``retained_until`` (ISO dates),
    ``disposal`` and ``source``; every other column is a label unless ``label_columns`` says which.
    """

    def __init__(
        self,
        *,
        path: str,
        root: str | None = None,
        name: str | None = None,
        label_columns: Sequence[str] | None = None,
        disposals: Mapping[str, Sequence[str]] | None = None,
        unlabelled: Sequence[str] = NOT_SAID,
        synthetic: bool = False,
    ) -> None:
        """Remember where the manifest is; nothing is read before ``load``.

        Args:
            path: the file.
            root: folder that its paths are relative to; default: the file's own folder.
            name: name of the set in results; default: the file's name.
            label_columns: which columns are labels; default: all others.
            disposals: a word of the data dictionary -> further spellings of it in this file.
            unlabelled: what a label says, in either case, where it is not known.
            synthetic: whether the people in it were made up.
        """
        self._path = Path(path).expanduser()
        self.root = Path(root).expanduser() if root else self._path.parent
        self._name = name or self._path.stem
        self._labels = [label_columns] if isinstance(label_columns, str) else label_columns
        self._spellings = _spellings(disposals or {})
        self._unlabelled = {_bare(each) for each in unlabelled}
        self._synthetic = synthetic

    def load(self, *, as_of: date) -> TrainingSet:
        """The rows, cleaned, with what was wrong with them.

        Raises:
            InputError: no file, no such columns, or no row that names a person.
        """
        frame = read_wide(self._path, what="training_set.path")
        absent = [name for name in ("subject_id",) if name not in frame]
        if absent:
            raise InputError(
                f"training_set.path={self._path} has no column subject_id; its columns are "
                f"{', '.join(map(str, frame.columns))}"
            )
        rows, notes = len(frame), _Faults()
        # "p1" and "p1 " are one person, who would else be counted twice
        frame = frame.assign(subject_id=_stripped(frame["subject_id"]))
        frame = notes.left_out(frame, frame["subject_id"].isna(), "no person named", "subject_id")
        if "path" in frame:
            again = frame["path"].notna() & frame["path"].duplicated()
            frame = notes.left_out(frame, again, "path listed before", "path")
        if frame.empty:
            raise InputError(
                f"training_set.path={self._path}: no row names a person in subject_id; fill it in"
            )
        labels = self._label_names(frame)
        table = pd.DataFrame(index=frame.index)
        table["path"] = frame["path"] if "path" in frame else pd.Series("", index=frame.index)
        today = pd.Timestamp(as_of)
        table["captured"] = notes.dates(frame, "captured", no_later=today)
        table["retained_until"] = notes.dates(frame, "retained_until")
        early = table["retained_until"] < table["captured"]
        notes.add(
            "retained until before captured",
            "retained_until",
            frame,
            early,
            "the end of retention counts as unknown",
        )
        table.loc[early, "retained_until"] = pd.NaT
        table["disposal"] = notes.disposals(frame, self._spellings)
        table["source"] = _category(frame, "source")
        for label in labels:
            table[label] = self._label(frame, label)
            notes.missing_label(frame, label, table[label])
            notes.mixed_systems(frame, label, table[label])
        codes, subjects = pd.factorize(frame["subject_id"], sort=False)
        return TrainingSet(
            name=self._name,
            table=table.reset_index(drop=True),
            person=codes.astype(np.int32),
            subjects=pd.Index(subjects, dtype="str"),
            labels=tuple(labels),
            dated="captured" in frame,
            disposed="disposal" in frame,
            faults=notes.table(),
            rows=rows,
            sha256=digest_file(self._path),
            synthetic=self._synthetic,
        )

    def _label(self, frame: pd.DataFrame, label: str) -> pd.Series[Any]:
        values = _category(frame, label)
        nothing = [each for each in values.cat.categories if _bare(each) in self._unlabelled]
        return values.cat.remove_categories(nothing)

    def _label_names(self, frame: pd.DataFrame) -> list[str]:
        others = [str(name) for name in frame.columns if name not in KNOWN]
        if self._labels is None:
            return [name for name in others if name != "image_id"]
        unknown = sorted(set(self._labels).difference(others))
        if unknown:
            raise InputError(
                f"training_set.label_columns names {', '.join(unknown)}, which "
                f"{self._path} does not have; its other columns are {', '.join(others)}"
            )
        return list(self._labels)


def read_wide(path: Path, *, what: str) -> pd.DataFrame:
    """A CSV or Parquet file as string columns, blank cells missing; made for millions of rows.

    A file that the quick reader refuses is read again by the strict one, whose sentence names the
    line.
    """
    import pyarrow as pa
    import pyarrow.csv as pc

    from frbench.table_files import read_strings

    if path.is_file() and path.suffix.lower() == ".csv":
        try:
            names = pc.open_csv(path).schema.names
            options = pc.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=["", "nan", "NaN"],
            )
            table = pc.read_csv(path, convert_options=options)
        except (pa.ArrowException, UnicodeDecodeError, ValueError):
            return read_strings(path, what=what).frame
        if len(set(names)) == len(names) and all(names) and table.num_rows:
            strings = {pa.string(): pd.StringDtype(na_value=np.nan)}
            frame: pd.DataFrame = table.to_pandas(types_mapper=strings.get)
            return frame
    return read_strings(path, what=what).frame


def _stripped(column: pd.Series[Any]) -> pd.Series[Any]:
    """Without spaces around the text; missing where nothing is left."""
    text = column.str.strip()
    return text.mask(text == "")


def _category(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in frame:
        return pd.Series(pd.Categorical([None] * len(frame)), index=frame.index)
    values = frame[name].astype("category")
    bare = pd.Series(values.cat.categories, dtype="str").str.strip()
    if bare.duplicated().any() or (bare == "").any():
        return _stripped(frame[name]).astype("category")
    return values.cat.rename_categories(list(bare))


def _spellings(further: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Every spelling, lower case and with single spaces -> the word of the data dictionary."""
    text = resources.files("frbench").joinpath("auditing/disposals.yaml").read_text("utf-8")
    known: dict[str, list[str]] = OmegaConf.to_object(OmegaConf.create(text))  # type: ignore[assignment]
    unknown = sorted(set(further).difference(known))
    if unknown:
        raise InputError(
            f"training_set.disposals names {', '.join(unknown)}; the words are {', '.join(known)}"
        )
    return {
        _bare(spelling): word
        for words in (known, further)
        for word, spellings in words.items()
        for spelling in (word, *spellings)
    }


def _bare(text: str) -> str:
    return " ".join(str(text).lower().replace("_", " ").replace("-", " ").split())


_CODES = {
    "officer-defined IC codes": re.compile(r"ic ?[0-9]", re.IGNORECASE),
    "self-defined 18+1 codes": re.compile(r"[WMABO][1-9]|NS", re.IGNORECASE),
}


def _system(value: str) -> str:
    return next((name for name, form in _CODES.items() if form.fullmatch(value)), "words")


class _Faults:
    """What was wrong, how often, and what was done about it."""

    def __init__(self) -> None:
        self._rows: list[dict[str, object]] = []

    def add(
        self, fault: str, column: str, frame: pd.DataFrame, wrong: pd.Series[bool], done: str
    ) -> None:
        """Notes a fault where ``wrong`` holds anywhere; the example names a row, not a person."""
        if not wrong.any():
            return
        first = int(np.flatnonzero(wrong.to_numpy())[0])
        value = frame[column].iloc[first] if column in frame and column != "subject_id" else ""
        said = f"row {frame.index[first] + 1}" + (
            f": {value}" if column != "path" and pd.notna(value) and value != "" else ""
        )
        self._rows.append(
            {
                "fault": fault,
                "column": column,
                "rows": int(wrong.sum()),
                "done": done,
                "example": said,
            }
        )

    def left_out(
        self, frame: pd.DataFrame, wrong: pd.Series[bool], fault: str, column: str
    ) -> pd.DataFrame:
        self.add(fault, column, frame, wrong, "the rows are left out")
        return frame[~wrong] if wrong.any() else frame

    def dates(
        self, frame: pd.DataFrame, column: str, *, no_later: pd.Timestamp | None = None
    ) -> pd.Series[Any]:
        """The column as dates; what is no date, or later than may be, is unknown.

        The day is the one that is written: midnight in British summer time is not the evening
        before.
        """
        if column not in frame:
            return pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")
        written = _stripped(frame[column])
        found = pd.to_datetime(written.str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
        found = found.astype("datetime64[s]")
        if (written.str.len() > 10).any():
            whole = pd.to_datetime(written, format="ISO8601", errors="coerce", utc=True)
            found = found.mask(whole.isna())
        wrong = written.notna() & found.isna()
        self.add("no date of the form 2024-05-31", column, frame, wrong, "the date is unknown")
        if no_later is not None:
            future = found > no_later
            done = f"the date is unknown (the audit is as of {no_later:%Y-%m-%d})"
            self.add("date in the future", column, frame, future, done)
            found = found.mask(future)
        return found

    def disposals(self, frame: pd.DataFrame, spellings: Mapping[str, str]) -> pd.Series[Any]:
        if "disposal" not in frame:
            return pd.Series(pd.Categorical([UNKNOWN] * len(frame)), index=frame.index)
        values = frame["disposal"].astype("category")
        words = {each: spellings.get(_bare(each), UNKNOWN) for each in values.cat.categories}
        blank = frame["disposal"].isna()
        self.add("no disposal", "disposal", frame, blank, f"the disposal is {UNKNOWN}")
        strange = values.isin([each for each, word in words.items() if word == UNKNOWN])
        done = f"the disposal is {UNKNOWN}; name the spelling under training_set.disposals"
        self.add("unknown disposal", "disposal", frame, strange, done)
        mapped = values.astype("object").map(words).fillna(UNKNOWN)
        return mapped.astype("category")

    def missing_label(self, frame: pd.DataFrame, label: str, values: pd.Series[Any]) -> None:
        done = "the rows are counted as a group of their own"
        self.add("label missing", label, frame, values.isna(), done)

    def mixed_systems(self, frame: pd.DataFrame, label: str, values: pd.Series[Any]) -> None:
        """Officer-defined codes beside self-defined ones: the same people under other names."""
        systems = {each: _system(str(each)) for each in values.cat.categories}
        counts = values.map(systems).value_counts()
        counts = counts[counts > 0]
        if len(counts) < 2 or not set(counts.index).intersection(_CODES):
            return
        rare = values.map(systems).astype("object").isin(list(counts.index[1:]))
        said = " and ".join(f"{system} ({rows:,} rows)" for system, rows in counts.items())
        done = f"each value is read under its own system: {said}; bring them to one"
        self.add("two systems of labels in one column", label, frame, rare, done)

    def table(self) -> pd.DataFrame:
        columns = {
            "fault": "str",
            "column": "str",
            "rows": "int64",
            "done": "str",
            "example": "str",
        }
        return pd.DataFrame(self._rows, columns=list(columns)).astype(columns)
