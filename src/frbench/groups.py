"""Demographic labels become one group per image; whoever has no label stays visible.

A group is a value of one label column or a combination of values of several ("female/black").
Levels are fixed before anything is counted, so a group that is absent keeps its row.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.label_columns import refuse_outer_spaces
from frbench.label_systems import PROVENANCES, label_map
from frbench.relabelling import levels_of, provenances, said_in
from frbench.values import ALL, UNLABELLED, FaceSet

SEPARATOR = "/"
MOST_AUTOMATIC_VALUES = 12
MOST_CROSSED_GROUPS = 100
MOST_CONTRADICTED = 0.1
"""Share of persons above which a label is taken to vary by nature, as an expression does."""
ON_CONFLICT = ("error", "majority", "drop", "keep")


@dataclass(frozen=True)
class GroupSpec:
    """How images are grouped (config group ``groups``).

    Attributes:
        by: label columns to combine; None takes every label that is constant within persons and
            has 2 to 12 values.
        levels: label -> the values that the run reports, absent ones included; other values are
            an error. Labels not named here report the values that occur.
        bands: numeric label -> upper limits of its bands, half-open on the left as NIST's:
            ``age: [20, 35]`` gives ``(..20]``, ``(20..35]``, ``(35..]``.
        varies: labels that may differ between images of one person (age band, glasses).
        map: label -> map of ``label_systems`` that rewrites it, e.g. ``ic_to_census5``; values
            that the map has no answer for are the group ``unmapped``. Levels and bands then speak
            of the values after it.
        provenance: label -> who said so: self-defined, officer-defined, annotated, inferred or
            unknown; for the record.
        on_conflict: what happens to a person with two values of a label that must not vary:
            ``error``; ``majority`` (ties become unlabelled); ``drop`` the person; ``keep`` each
            image's own value.
    """

    by: tuple[str, ...] | None = None
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    bands: Mapping[str, Sequence[float]] = field(default_factory=dict)
    varies: tuple[str, ...] = ()
    map: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    on_conflict: Literal["error", "majority", "drop", "keep"] = "error"

    def __post_init__(self) -> None:
        if self.on_conflict not in ON_CONFLICT:
            raise InputError(
                f"on_conflict={self.on_conflict} is unknown; take one of {', '.join(ON_CONFLICT)}"
            )
        for name in self.map.values():
            label_map(name)
        for label, said in self.provenance.items():
            if said not in PROVENANCES:
                raise InputError(
                    f"provenance.{label}={said} is unknown; take one of {', '.join(PROVENANCES)}"
                )
        for label, levels in self.levels.items():
            if len({str(level) for level in levels}) < len(levels):
                raise InputError(f"levels.{label} names a value more than once; name it once")


def assign_groups(faces: FaceSet, spec: GroupSpec) -> FaceSet:
    """The set with a ``group`` column: category, levels fixed, unlabelled ones last.

    What was decided on the way (labels chosen, persons dropped, values filled in) is written into
    ``about["groups"]``.

    Raises:
        InputError: an unknown label, a value outside the levels, a non-numeric value to be banded,
            or persons with contradicting labels under ``on_conflict="error"``.
    """
    table = faces.faces.copy()
    notes: list[str] = []
    _require_labels(table, spec.levels, faces.name, setting="levels")
    _require_labels(table, spec.varies, faces.name, setting="varies")
    _require_labels(table, spec.map, faces.name, setting="map")
    _require_labels(table, spec.provenance, faces.name, setting="provenance")
    about = provenances(spec.map, spec.provenance, faces.about)
    for label, name in spec.map.items():
        table[f"label_{label}"], about[f"map of {label}"] = said_in(table[f"label_{label}"], name)
    for label, limits in spec.bands.items():
        table[f"label_{label}"] = _banded(table, label, limits)
    by = spec.by
    if by is None:
        by, left_out = _automatic(table)
        notes.append(
            f"grouped by {' × '.join(by) or 'nothing'}, chosen automatically; "
            "choose with groups.by=[…]"
        )
        if left_out:
            notes.append(f"labels not used: {', '.join(left_out)}")
    _require_labels(table, by, faces.name)
    for label in by:
        refuse_outer_spaces(table[f"label_{label}"], f"{faces.name}: label {label}")
        table, note = _one_value_per_person(table, label, spec, faces.name)
        notes += note
    table = table.reset_index(drop=True)
    table["group"] = _combined(table, by, spec)
    if notes:
        about["groups"] = "; ".join(notes)
    about["grouped_by"] = ", ".join(by)
    return replace(faces, faces=table, about=about)


def label_names(table: pd.DataFrame) -> list[str]:
    """The label columns of a FaceTable, without their prefix."""
    return [str(c).removeprefix("label_") for c in table.columns if str(c).startswith("label_")]


def _require_labels(
    table: pd.DataFrame, by: Collection[str], name: str, *, setting: str = "by"
) -> None:
    present = label_names(table)
    absent = [label for label in by if label not in present]
    if absent:
        raise InputError(
            f"groups.{setting} names {', '.join(absent)}, but the set {name} has no such label; "
            f"it has: {', '.join(present) or 'no labels at all'}."
        )
    repeated = sorted({label for label in by if list(by).count(label) > 1})
    if repeated:
        raise InputError(
            f"groups.{setting} names {', '.join(repeated)} more than once; name it once."
        )


def _automatic(table: pd.DataFrame) -> tuple[tuple[str, ...], list[str]]:
    """The labels that describe persons, and why the others were left out.

    A label that few persons contradict is chosen all the same: it is a person's label with
    mistakes in it, and the mistakes are then reported like any others.
    """
    chosen, left_out = [], []
    for label in label_names(table):
        values = table[f"label_{label}"]
        if not 2 <= values.nunique() <= MOST_AUTOMATIC_VALUES:
            left_out.append(f"{label} ({values.nunique()} values)")
            continue
        varying = values.groupby(table["subject_id"]).nunique() > 1
        if varying.mean() > MOST_CONTRADICTED:
            left_out.append(f"{label} (varies within {int(varying.sum())} persons)")
            continue
        chosen.append(label)
    return tuple(chosen), left_out


def _banded(table: pd.DataFrame, label: str, limits: Sequence[float]) -> pd.Series[str]:
    column = f"label_{label}"
    if column not in table:
        raise InputError(
            f"groups.bands names {label}, but the set has no such label; "
            f"it has: {', '.join(label_names(table)) or 'no labels at all'}."
        )
    if list(limits) != sorted(set(limits)) or not limits:
        raise InputError(f"groups.bands.{label} must be increasing numbers, not {list(limits)}.")
    numbers = pd.to_numeric(table[column], errors="coerce")
    bad = table[column].notna() & numbers.isna()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"groups.bands.{label}: {int(bad.sum())} values are not numbers, the first in row "
            f"{row + 1}: {table[column].iloc[row]!r}; mend them or leave them blank."
        )
    cut = pd.cut(numbers, [-np.inf, *limits, np.inf], labels=_band_names(limits), right=True)
    return cut.astype("str").where(numbers.notna())


def _one_value_per_person(
    table: pd.DataFrame, label: str, spec: GroupSpec, name: str
) -> tuple[pd.DataFrame, list[str]]:
    column = f"label_{label}"
    if label in spec.varies or spec.on_conflict == "keep":
        return table, []
    notes = []
    values = table.groupby("subject_id", sort=False)[column].nunique()
    conflicted = list(values[values > 1].index)
    if conflicted and spec.on_conflict == "error":
        raise InputError.listing(
            f"{name}: {len(conflicted)} persons carry two values of {label}; mend the labels, or "
            f"set groups.on_conflict to majority, drop or keep, or name {label} in groups.varies:",
            [
                f"{person}: {', '.join(sorted(rows[column].dropna().unique()))}"
                for person, rows in table[table["subject_id"].isin(conflicted)].groupby(
                    "subject_id"
                )
            ],
        )
    if conflicted and spec.on_conflict == "drop":
        table = table[~table["subject_id"].isin(conflicted)]
        notes.append(f"{len(conflicted)} persons with two values of {label} were left out")
    elif conflicted:
        notes.append(
            f"{len(conflicted)} persons with two values of {label} took the commoner one "
            "(unlabelled when tied)"
        )
    settled = table["subject_id"].map(_commonest(table, column)).astype("str")
    filled = int((table[column].isna() & settled.notna()).sum())
    if filled:
        notes.append(f"{filled} images without {label} took it from the person's other images")
    return table.assign(**{column: settled}), notes


def _commonest(table: pd.DataFrame, column: str) -> dict[str, str]:
    counts = table.groupby(["subject_id", column]).size().reset_index(name="images")
    counts = counts.sort_values(["subject_id", "images"], ascending=[True, False])
    best = counts.drop_duplicates("subject_id").set_index("subject_id")
    runner_up = counts[counts.duplicated("subject_id")].drop_duplicates("subject_id")
    ties = best["images"].eq(runner_up.set_index("subject_id")["images"].reindex(best.index))
    return dict(best.loc[~ties, column].items())  # type: ignore[arg-type]


def _combined(table: pd.DataFrame, by: Sequence[str], spec: GroupSpec) -> pd.Categorical[Any]:
    if not by:
        return pd.Categorical(["everyone"] * len(table), categories=["everyone"])
    levels = [_levels(table[f"label_{label}"], label, spec) for label in by]
    parts = [table[f"label_{label}"].fillna(UNLABELLED).astype("str") for label in by]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + SEPARATOR + part
    crossed = [SEPARATOR.join(each) for each in itertools.product(*levels)]
    _refuse_ambiguous(crossed, by)
    present = set(joined.unique())
    if len(crossed) > MOST_CROSSED_GROUPS and not spec.levels:
        crossed = [group for group in crossed if group in present]
    incomplete = sorted(present.difference(crossed))
    return pd.Categorical(joined, categories=[*crossed, *incomplete])


def _refuse_ambiguous(names: list[str], by: Sequence[str]) -> None:
    if ALL in names:
        raise InputError(
            f"label {by[0]} has the value {ALL!r}, which names the pooled row of every table; "
            "give it another name."
        )
    once: set[str] = set()
    for name in names:
        if name in once:
            raise InputError(
                f"two combinations of {' and '.join(by)} are both called {name!r}, since values "
                f"hold the separator {SEPARATOR!r}; give them other names."
            )
        once.add(name)


def _levels(values: pd.Series[str], label: str, spec: GroupSpec) -> list[str]:
    occurring = set(values.dropna().unique()) - {UNLABELLED}
    if label in spec.bands:
        return _band_names(spec.bands[label])
    if label not in spec.levels:
        return levels_of(spec.map[label], occurring) if label in spec.map else sorted(occurring)
    wanted = [str(level) for level in spec.levels[label]]
    unknown = sorted(occurring.difference(wanted))
    if unknown:
        first = int(np.flatnonzero(values.isin(unknown))[0])
        raise InputError(
            f"label {label}: unknown values {', '.join(map(repr, unknown))} (the first in row "
            f"{first + 1}); add them to groups.levels.{label} or mend the labels."
        )
    return wanted


def _band_names(limits: Sequence[float]) -> list[str]:
    words = [f"{limit:g}" for limit in limits]
    middle = [f"({low}..{high}]" for low, high in itertools.pairwise(words)]
    return [f"(..{words[0]}]", *middle, f"({words[-1]}..]"]
