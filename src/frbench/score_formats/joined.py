"""Persons and labels for score files that do not hold them, from a manifest, joined by id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.score_formats import IDS, SIDES, SUBJECTS
from frbench.table_files import StringTable, read_strings

_WHAT = "benchmark.labels"
_KEYS = ("image_id", "path", "subject_id")


@dataclass(frozen=True)
class Joined:
    """The rows with persons and labels, and where they came from, in a sentence."""

    rows: pd.DataFrame
    note: str


def join_labels(rows: pd.DataFrame, manifest: Path, where: Path) -> Joined:
    """Adds what the manifest knows of each template, or of each person.

    A manifest with a column ``image_id`` (or else ``path``) describes templates; its
    ``subject_id`` says who they are. Without either it describes persons, whom the score file must
    name. A template that the manifest lacks (such as the model of a client in a four-column file)
    takes the labels that all rows of its person share.

    Raises:
        InputError: unknown templates or persons, a blank or doubled key, a person that differs
            from the score file's, or a label that both files have; all are listed.
    """
    table = read_strings(manifest, what=_WHAT)
    present = table.frame.columns
    key = next((name for name in _KEYS if name in present), None)
    if key is None:
        raise InputError(
            f"{_WHAT}={manifest} has none of the columns {', '.join(_KEYS)}, so nothing says whom "
            "a row describes"
        )
    if key == "subject_id":
        _refuse_keys(table, key)
        return Joined(_by_person(rows, table.frame, manifest, where), f"per person, {manifest}")
    _refuse_keys(table, key)
    return Joined(_by_template(rows, table.frame, key, manifest, where), f"by {key}, {manifest}")


def _by_template(
    rows: pd.DataFrame, frame: pd.DataFrame, key: str, manifest: Path, where: Path
) -> pd.DataFrame:
    labels = _labels(rows, frame, where, manifest)
    result = rows.copy(deep=False)
    known = pd.Index(frame[key])
    places = {side: _places(rows[f"{side}_id"], known) for side in SIDES}
    if "subject_id" in frame:
        for side in SIDES:
            result[f"{side}_subject"] = _persons(rows, frame, side, places[side], where, manifest)
    _require_persons(result, manifest, where)
    persons = _shared_labels(frame, labels)
    for side in SIDES:
        unknown = places[side] < 0
        _refuse_unknown(rows, result, side, unknown, persons.index, manifest, where)
        for label in labels:
            values = frame[label].reindex(pd.RangeIndex(-1, len(frame)))
            found = values.take(places[side] + 1).reset_index(drop=True)
            if unknown.any():
                own = persons[label].reindex(result[f"{side}_subject"]).reset_index(drop=True)
                found = found.where(~unknown, own)
            result[f"{side}_{label}"] = found
    return result


def _by_person(
    rows: pd.DataFrame, frame: pd.DataFrame, manifest: Path, where: Path
) -> pd.DataFrame:
    labels = _labels(rows, frame, where, manifest)
    _require_persons(rows, manifest, where)
    known, result = pd.Index(frame["subject_id"]), rows.copy(deep=False)
    for side, column in zip(SIDES, SUBJECTS, strict=True):
        place = _places(rows[column], known)
        if (place < 0).any():
            absent = sorted(rows.loc[place < 0, column].dropna().astype("str").unique())
            raise InputError.listing(
                f"{_WHAT}={manifest}: {len(absent)} persons of {where} are not in it; add them:",
                [repr(name) for name in absent],
            )
        for label in labels:
            result[f"{side}_{label}"] = frame[label].take(place).reset_index(drop=True)
    return result


def _places(
    values: pd.Series[str], known: pd.Index[str]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """int64: row of each value in the manifest, -1 where it has none; each value looked up once."""
    codes, unique = pd.factorize(values.astype("str").str.strip())
    found = known.get_indexer(pd.Index(unique)).astype(np.int64)
    place: np.ndarray[tuple[int], np.dtype[np.int64]] = np.append(found, -1)[codes]
    return place


def _persons(
    rows: pd.DataFrame,
    frame: pd.DataFrame,
    side: str,
    place: np.ndarray[tuple[int], np.dtype[np.int64]],
    where: Path,
    manifest: Path,
) -> pd.Series[str]:
    """The manifest's person of each template, or the score file's where it lists no such one."""
    said = frame["subject_id"].reindex(pd.RangeIndex(-1, len(frame))).take(place + 1)
    said = said.reset_index(drop=True)
    column = f"{side}_subject"
    if column not in rows:
        return said
    own = rows[column].astype("str").str.strip()
    wrong = np.flatnonzero((said.notna() & own.notna() & (said != own)).to_numpy())
    if len(wrong):
        raise InputError.listing(
            f"{where}: {len(wrong)} rows name another person than {_WHAT}={manifest}:",
            [
                f"row {row + 1}, {rows[f'{side}_id'].iloc[row]}: {own.iloc[row]}, but the "
                f"manifest says {said.iloc[row]}"
                for row in wrong[:50]
            ],
        )
    return own.where(own.notna(), said)


def _shared_labels(frame: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Per person, each label that all rows of the person share; missing where they do not."""
    if "subject_id" not in frame:
        return pd.DataFrame(columns=labels)
    people = frame.groupby("subject_id")
    return pd.DataFrame(
        {label: people[label].first().where(people[label].nunique() == 1) for label in labels},
        index=sorted(frame["subject_id"].dropna().unique()),
    )


def _refuse_unknown(
    rows: pd.DataFrame,
    result: pd.DataFrame,
    side: str,
    unknown: np.ndarray[tuple[int], np.dtype[np.bool_]],
    persons: pd.Index[str],
    manifest: Path,
    where: Path,
) -> None:
    stranger = unknown & ~result[f"{side}_subject"].isin(persons).to_numpy()
    if stranger.any():
        names = sorted(rows.loc[stranger, f"{side}_id"].astype("str").unique())
        raise InputError.listing(
            f"{_WHAT}={manifest}: {len(names)} {side} templates of {where} are not in it; add "
            "them, or their persons:",
            [repr(name) for name in names],
        )


def _require_persons(rows: pd.DataFrame, manifest: Path, where: Path) -> None:
    absent = [name for name in SUBJECTS if name not in rows]
    if absent:
        raise InputError(
            f"{where} does not say who is on the images and {_WHAT}={manifest} has no column "
            f"{'image_id with subject_id' if 'subject_id' not in rows else 'subject_id'}; add it"
        )


def _labels(rows: pd.DataFrame, frame: pd.DataFrame, where: Path, manifest: Path) -> list[str]:
    labels = [str(name) for name in frame.columns if name not in _KEYS]
    both = [name for name in labels if f"probe_{name}" in rows]
    if both:
        raise InputError(
            f"{where} and {_WHAT}={manifest} both have the label {', '.join(both)}; keep one"
        )
    reserved = [name for name in labels if f"probe_{name}" in (*IDS, *SUBJECTS)]
    if reserved:
        raise InputError(f"{_WHAT}={manifest}: column {reserved[0]} must have another name")
    return labels


def _refuse_keys(table: StringTable, key: str) -> None:
    values = table.frame[key]
    problems = [
        f"{table.where(int(row))}, column {key}: blank"
        for row in np.flatnonzero(values.isna().to_numpy())
    ]
    problems += [
        f"{table.where(int(row))}, column {key}: {values.iloc[row]!r} occurs already above"
        for row in np.flatnonzero((values.duplicated() & values.notna()).to_numpy())
    ]
    if problems:
        raise InputError.listing(
            f"{_WHAT}={table.path}: {len(problems)} problems; mend these rows:", problems
        )
