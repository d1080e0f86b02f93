"""Whether runs may be compared at all; where not, why, and what could be compared instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frbench.errors import InputError
from frbench.run_diff.loaded import LoadedRun
from frbench.values import ScoreTally

INSTEAD = "only=inputs shows in which settings they differ"


@dataclass(frozen=True)
class Common:
    """What runs have in common.

    Attributes:
        points: operating points at which all of them can be compared, in the first run's order.
        paired: letters of the runs whose comparisons are those of the first run: the same images
            and pairs.
        notes: what was left out or taken for granted, a sentence each.
    """

    points: tuple[str, ...]
    paired: frozenset[str]
    notes: tuple[str, ...]


def common_ground(
    runs: Sequence[LoadedRun], *, same_population: bool = False, points_needed: bool = True
) -> Common:
    """What can be compared.

    Args:
        runs: two or more, the first is the one that the others are compared with.
        same_population: take sets of different names as samples of one population.
        points_needed: whether a common operating point is needed, as for cells.

    Raises:
        InputError: with every reason why they cannot be compared, and what would be comparable.
    """
    first, *others = runs
    reasons, notes, paired = [], [], set()
    _refuse(
        [
            f"{run.letter} is a run of frbench {run.record.get('verb')}, which has no error rates "
            f"per cell; name runs of frbench evaluate, or ask for inputs only: {INSTEAD}"
            for run in runs
            if run.record.get("verb") != "evaluate"
        ]
    )
    for run in others:
        found = _reasons(first, run, same_population=same_population)
        reasons += found
        if found:
            continue
        if same_comparisons(first, run):
            paired.add(run.letter)
        elif _digest(first) != _digest(run):
            notes.append(
                f"{first.letter} and {run.letter} show other persons or images of "
                f"{_set(first)}: they are compared as two independent samples of one population; "
                "persons in both make that cautious."
            )
        else:
            notes.append(
                f"{first.letter} and {run.letter} made other comparisons on the same set; they "
                "are compared as two samples."
            )
    _refuse(reasons)
    points, left_out = _points(runs)
    notes += left_out
    if points_needed and not points:
        _refuse(
            [
                "no operating point was set by the same rule in all runs: "
                + "; ".join(f"{run.letter} has {', '.join(run.thresholds)}" for run in runs)
                + "; evaluate them with one operating_point, or rank them by the panel's "
                "criteria, which need none: only=ranking",
                *left_out,
            ]
        )
    return Common(points, frozenset(paired), tuple(notes))


def same_comparisons(one: LoadedRun, other: LoadedRun) -> bool:
    """Whether both runs compared the same pairs of the same images."""
    if _digest(one) != _digest(other) or _digest(one) is None:
        return False
    mine, theirs = one.tally, other.tally
    alike = ("groups", "ordered", "policy", "references_from")
    return (
        all(getattr(mine, name) == getattr(theirs, name) for name in alike)
        and all(
            np.array_equal(getattr(mine, name), getattr(theirs, name))
            for name in ("subject", "group", "stratum")
        )
        and _listed_alike(mine, theirs)
    )


def _listed_alike(one: ScoreTally, other: ScoreTally) -> bool:
    if one.listed is None or other.listed is None:
        return one.listed is other.listed
    return np.array_equal(one.listed.first, other.listed.first) and np.array_equal(
        one.listed.second, other.listed.second
    )


def _refuse(reasons: Sequence[str]) -> None:
    if reasons:
        raise InputError.listing("these runs cannot be compared cell by cell:", reasons)


def _reasons(first: LoadedRun, run: LoadedRun, *, same_population: bool) -> list[str]:
    both = f"{first.letter} and {run.letter}"
    reasons = []
    one, other = first.record.get("schema_version"), run.record.get("schema_version")
    if one != other:
        reasons.append(
            f"{both}: their files have schema versions {one} and {other}; evaluate both with one "
            "version of frbench"
        )
    if _set(first) != _set(run) and _digest(first) != _digest(run) and not same_population:
        reasons.append(
            f"{both}: another set ({_set(first)}; {_set(run)}); evaluate both on one set, or say "
            f"same_population=true if both are samples of one population; {INSTEAD}"
        )
    mine, theirs = first.tally, run.tally
    if set(mine.groups) != set(theirs.groups):
        shared = [name for name in mine.groups if name in theirs.groups]
        reasons.append(
            f"{both}: other groups ({_listed(mine.groups)}; {_listed(theirs.groups)}); in common: "
            f"{_listed(shared)}; evaluate both with one groups.by"
        )
    if mine.policy != theirs.policy:
        reasons.append(
            f"{both}: another impostor policy ({mine.policy}; {theirs.policy}), so other people "
            "were compared with each other; evaluate both with one comparison="
        )
    if (mine.listed is None) != (theirs.listed is None):
        reasons.append(
            f"{both}: one compared all pairs, the other the pairs of a list; evaluate both with "
            "one protocol"
        )
    elif mine.ordered != theirs.ordered:
        reasons.append(
            f"{both}: in one the images have roles (probe, reference), in the other not, so their "
            "cells differ"
        )
    return reasons


def _points(runs: Sequence[LoadedRun]) -> tuple[tuple[str, ...], list[str]]:
    """Operating points that mean the same in all runs, and why the others do not."""
    kept, left_out = [], []
    names = dict.fromkeys(name for run in runs for name in run.thresholds)
    other_matchers = len({run.matcher.get("name") for run in runs}) > 1
    for name in names:
        lacking = [run.letter for run in runs if name not in run.thresholds]
        if lacking:
            left_out.append(f"“{name}” was not set in {', '.join(lacking)}.")
            continue
        sources = {run.letter: _source(run.thresholds[name].source) for run in runs}
        rules = {run.thresholds[name].rule for run in runs}
        if len(set(sources.values())) > 1 or len(rules) > 1:
            told = ", ".join(f"{letter} on {source}" for letter, source in sources.items())
            left_out.append(f"“{name}” was chosen by other rules: {told}.")
        elif rules == {"fixed"} and other_matchers:
            left_out.append(f"“{name}” is a score, and scores of other matchers do not compare.")
        else:
            kept.append(name)
    return tuple(kept), left_out


def _source(source: str) -> str:
    return "another run" if source.startswith("run ") else source


def _set(run: LoadedRun) -> str:
    return str((run.record.get("benchmark") or {}).get("name"))


def _digest(run: LoadedRun) -> str | None:
    return (run.record.get("benchmark") or {}).get("labels_sha256")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"
