"""Runs of one system over time, in order, and whether they can be compared at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from frbench.errors import InputError
from frbench.runs import read_tally
from frbench.stored_run import read_record, read_thresholds
from frbench.values import ScoreTally, Threshold


@dataclass(frozen=True)
class StoredRun:
    """One run of ``evaluate``, its later arm.

    Attributes:
        folder: where it is.
        name: its id.
        when: what it is ordered by: ``as_of`` where its configuration has one, else its start.
        record: content of ``run.json``.
        matcher: the arm's matcher in the record.
        thresholds: operating points of the arm.
        rates, gaps: tables, of the arm alone.
        tally: where the counts are.
    """

    folder: Path
    name: str
    when: str
    record: Mapping[str, Any]
    matcher: Mapping[str, Any]
    thresholds: tuple[Threshold, ...]
    rates: pd.DataFrame
    gaps: pd.DataFrame

    def tally(self) -> ScoreTally:
        """The counts, read anew."""
        return read_tally(self.folder / "tally" / str(self.matcher["arm"]))


def find_runs(named: Sequence[str]) -> list[StoredRun]:
    """The runs named, and those in the folders named, in order of time.

    Raises:
        InputError: a name that leads to no run, or fewer than two runs.
    """
    folders: list[Path] = []
    for each in named:
        place = Path(each).expanduser()
        if (place / "run.json").is_file():
            folders.append(place)
            continue
        below = sorted(file.parent for file in place.glob("*/run.json"))
        below = [each for each in below if read_record(each).get("verb") == "evaluate"]
        if not below:
            raise InputError(f"runs={place}: no run folder of frbench evaluate, nor one below it.")
        folders += below
    folders = list(dict.fromkeys(folder.resolve() for folder in folders))
    if len(folders) < 2:
        raise InputError("monitor compares over time and needs two runs or more: runs=[DIR,…].")
    found = [load_run(folder) for folder in folders]
    return sorted(found, key=lambda each: (each.when, each.name))


def load_run(folder: Path) -> StoredRun:
    """One run. Raises InputError for a folder that is none, or of another verb."""
    record = read_record(folder)
    if record.get("verb") != "evaluate":
        raise InputError(f"{folder}: a run of {record.get('verb')}; monitor reads evaluate's.")
    matcher = record["matchers"][-1]
    arm = str(matcher["arm"])
    rates, gaps = (pd.read_parquet(folder / f"{name}.parquet") for name in ("rates", "gaps"))
    return StoredRun(
        folder=folder,
        name=str(record["run_id"]),
        when=str(record["config"].get("as_of") or record["started"]),
        record=record,
        matcher=matcher,
        thresholds=read_thresholds(record)[arm],
        rates=rates[rates["arm"] == arm],
        gaps=gaps[gaps["arm"] == arm],
    )


def require_comparable(runs: Sequence[StoredRun], *, other_matcher: bool) -> None:
    """Refuses runs that do not show one system at one operating point.

    Args:
        runs: the first is what the others are held against.
        other_matcher: whether a matcher may follow another, as when a new version is approved.

    Raises:
        InputError: with every reason at once.
    """
    first = runs[0]
    reasons = []
    for run in runs[1:]:
        told = []
        if not other_matcher and _matcher(run) != _matcher(first):
            told.append(
                f"another matcher, {run.matcher['name']} instead of {first.matcher['name']} (or "
                "other weights); other_matcher=true compares them all the same"
            )
        if _points(run) != _points(first):
            told.append(
                f"another threshold policy, {_said(run)} instead of {_said(first)}; evaluate all "
                "at the same operating points"
            )
        if _policy(run) != _policy(first):
            told.append(f"other comparisons, {_policy(run)} instead of {_policy(first)}")
        if set(_groups(run)) != set(_groups(first)):
            told.append(
                f"other groups, {', '.join(_groups(run))} instead of {', '.join(_groups(first))}"
            )
        reasons += [f"{run.name}: {each}" for each in told]
    if reasons:
        raise InputError.listing(f"these runs cannot be compared with {first.name}:", reasons)


def _matcher(run: StoredRun) -> tuple[Any, ...]:
    identity = run.matcher.get("identity") or {}
    weights = identity.get("weights") if isinstance(identity, Mapping) else None
    return run.matcher["name"], str(weights), str(run.matcher.get("preprocess"))


def _points(run: StoredRun) -> list[tuple[Any, ...]]:
    return [
        (each.label, each.rule, each.source if each.source in SOURCES else "run")
        for each in run.thresholds
    ]


SOURCES = ("this set", "calibration split", "stated")


def _said(run: StoredRun) -> str:
    return ", ".join(f"{label} by {rule} on {source}" for label, rule, source in _points(run))


def _policy(run: StoredRun) -> str:
    return str(run.record["comparisons"][-1]["policy"])


def _groups(run: StoredRun) -> list[str]:
    return [str(each) for each in run.record["benchmark"]["groups"]]
