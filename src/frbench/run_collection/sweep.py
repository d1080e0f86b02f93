"""The jobs of a sweep in one table and on one page, with a figure per parameter that was swept."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.frame import Run, open_run
from frbench.jobs import Outcome, save_outcome
from frbench.judging import LEVELS
from frbench.page.tables import records
from frbench.run_collection.sweep_page import short_values, sweep_page
from frbench.run_diff.inputs import differences, said
from frbench.run_diff.loaded import LoadedRun, letter_of
from frbench.staging import staged
from frbench.tables import SCHEMA_VERSION
from frbench.values import ALL, UNLABELLED, Finding

NAME = "sweep"
"""Of the folder, inside the sweep's, that the page is written to."""

PARAMETER = "param:"
"""Before the name of a swept parameter, as a column."""

SWEEP_COLUMNS = (
    "run", "arm", "matcher", "set", "operating_point", "threshold", "fmr", "fmr_low", "fmr_high",
    "fnmr", "fnmr_low", "fnmr_high", "fte", "worst_group", "worst_fmr", "worst_low", "worst_high",
    "least_group", "least_fnmr", "fmr_max_min_ratio", "ratio_low", "ratio_high", "gravest",
    "first_point",
)  # fmt: skip
"""A row per run, arm and operating point, after a column ``param:KEY`` per swept parameter. fmr,
fnmr, fte: pooled rates. worst_group: the labelled group with the highest FMR, with its interval;
least_group: the one with the highest FNMR. first_point: whether it is the run's first operating
point, the one that figures show."""


@dataclass(frozen=True)
class Sweep:
    """The finished jobs of a sweep.

    Attributes:
        parameters: key -> value as text per run, for every key that is not the same in all.
        missing: numbers of jobs that left no run.
    """

    root: Path
    runs: tuple[Run, ...]
    parameters: Mapping[str, Sequence[str]]
    missing: tuple[int, ...]


def write_sweep(root: Path, *, jobs: int | None = None) -> Path:
    """Writes table and page into ``root/sweep``; returns that folder.

    An earlier one moves aside, as a run does. ``jobs``: how many there should be.
    Raises InputError when no job left a run of ``frbench evaluate``.
    """
    started = datetime.now(UTC)
    sweep = read_sweep(root, jobs)
    table = sweep_table(sweep)
    found = _findings(sweep)
    outcome = Outcome(
        tables={"sweep": table},
        findings=found,
        page=lambda record: sweep_page(sweep, table, found, record),
        config={"folder": str(root), "swept": {k: list(v) for k, v in sweep.parameters.items()}},
        inputs={"jobs_without_a_run": list(sweep.missing)},
    )
    place = root / NAME
    with staged(place, root / f".{NAME}.partial-{os.urandom(4).hex()}") as folder:
        finished = datetime.now(UTC)
        common = {
            "schema_version": SCHEMA_VERSION,
            "run_id": f"{root.resolve().name}/{NAME}",
            "verb": "sweep",
            "started": started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "seconds": {"all": round((finished - started).total_seconds(), 3)},
            "overrides": [],
        }
        save_outcome(folder, outcome, common)
    return place


def read_sweep(root: Path, jobs: int | None = None) -> Sweep:
    """The evaluations directly below ``root``, by job number.

    Raises:
        InputError: there is none.
    """
    folders = [file.parent for file in root.glob("*/run.json") if "~" not in file.parent.name]
    opened = [open_run(each) for each in folders if not each.name.startswith(".")]
    runs = [run for run in opened if run.record.get("verb") == "evaluate"]
    if not runs:
        raise InputError(f"{root}: no job of it left a run of frbench evaluate")
    runs.sort(key=lambda run: (_number(run.folder.name), run.folder.name))
    numbers = {_number(run.folder.name) for run in runs} - {-1}
    expected = range(jobs if jobs is not None else max(numbers, default=-1) + 1)
    missing = tuple(number for number in expected if number not in numbers) if numbers else ()
    return Sweep(root, tuple(runs), _parameters(runs), missing)


def _number(name: str) -> int:
    found = re.match(r"(\d+)_", name)
    return int(found[1]) if found else -1


def _parameters(runs: Sequence[Run]) -> dict[str, list[str]]:
    """What was typed differently for the runs; where nothing was typed, settings that differ."""
    typed = [dict(_split(word) for word in run.record.get("overrides") or ()) for run in runs]
    keys = list(dict.fromkeys(key for each in typed for key in each if key != "output"))
    swept = {key: [each.get(key, "(default)") for each in typed] for key in keys}
    found = {key: values for key, values in swept.items() if len(set(values)) > 1}
    if not found and len(runs) > 1:
        loaded = [LoadedRun(letter_of(at), run) for at, run in enumerate(runs)]
        found = {
            one.key: [said(one.values[run.letter]) for run in loaded]
            for one in differences(loaded)
            if one.area == "setting"
        }
    return found


def _split(word: str) -> tuple[str, str]:
    key, _, value = word.partition("=")
    return key.lstrip("+"), value


def sweep_table(sweep: Sweep) -> pd.DataFrame:
    """The table of ``SWEEP_COLUMNS`` with its columns of parameters before them."""
    rows: list[dict[str, object]] = []
    for at, run in enumerate(sweep.runs):
        given = {f"{PARAMETER}{key}": values[at] for key, values in sweep.parameters.items()}
        rows += [{**given, **row} for row in _rows(run)]
    names = [f"{PARAMETER}{key}" for key in sweep.parameters]
    return pd.DataFrame(rows, columns=[*names, *SWEEP_COLUMNS])


def _rows(run: Run) -> list[dict[str, object]]:
    gravest = _gravest(run)
    rows: list[dict[str, object]] = []
    for (arm, point), rates in run.rates.groupby(["arm", "operating_point"], sort=False):
        own = rates[rates["probe_group"] == rates["reference_group"]]
        gaps = run.gaps[(run.gaps["arm"] == arm) & (run.gaps["operating_point"] == point)]
        row: dict[str, object] = {
            "run": run.folder.name,
            "arm": arm,
            "matcher": rates["matcher"].iloc[0],
            "set": rates["benchmark"].iloc[0],
            "operating_point": point,
            "threshold": float(rates["threshold"].iloc[0]),
            "gravest": gravest,
            "first_point": not any(each["arm"] == arm for each in rows),
        }
        rows.append(row | _pooled(own) | _worst(own) | _ratio(gaps))
    return rows


def _pooled(own: pd.DataFrame) -> dict[str, object]:
    found: dict[str, object] = {}
    for row in records(own[own["probe_group"] == ALL]):
        name = str(row["kind"]).lower()
        found[name] = row["rate"]
        if name != "fte":
            found |= {f"{name}_low": row["low"], f"{name}_high": row["high"]}
    return found


def _worst(own: pd.DataFrame) -> dict[str, object]:
    found: dict[str, object] = {}
    groups = own[~own["probe_group"].isin([ALL, UNLABELLED]) & own["rate"].notna()]
    for kind in ("FMR", "FNMR"):
        rows = records(groups[groups["kind"] == kind])
        if not rows:
            continue
        row = max(rows, key=lambda one: float(one["rate"]))
        if kind == "FMR":
            found |= {"worst_group": row["probe_group"], "worst_fmr": row["rate"]}
            found |= {"worst_low": row["low"], "worst_high": row["high"]}
        else:
            found |= {"least_group": row["probe_group"], "least_fnmr": row["rate"]}
    return found


def _ratio(gaps: pd.DataFrame) -> dict[str, object]:
    rows = records(gaps[(gaps["kind"] == "FMR") & (gaps["measure"] == "max_min_ratio")])
    if not rows:
        return {"fmr_max_min_ratio": np.nan, "ratio_low": np.nan, "ratio_high": np.nan}
    return {
        "fmr_max_min_ratio": rows[0]["value"],
        "ratio_low": rows[0]["low"],
        "ratio_high": rows[0]["high"],
    }


def _findings_of(run: Run) -> list[dict[str, Any]]:
    try:
        found = json.loads((run.folder / "findings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return list(found)


def _gravest(run: Run) -> str:
    levels = {str(one["level"]) for one in _findings_of(run)}
    return next((level for level in LEVELS if level in levels), "")


def _findings(sweep: Sweep) -> list[Finding]:
    """Per run its gravest finding; jobs that left nothing are one of their own."""
    found = []
    names = {key: short_values(list(values)) for key, values in sweep.parameters.items()}
    for at, run in enumerate(sweep.runs):
        called = " · ".join(names[key][values[at]] for key, values in sweep.parameters.items())
        level, mine = _gravest(run), _findings_of(run)
        if not level or level == "note":
            continue
        same = [one for one in mine if one["level"] == level]
        more = f" (and {len(same) - 1} more)" if len(same) > 1 else ""
        statement = f"{called or run.folder.name}: {same[0]['statement']}{more}"
        found.append(Finding(str(same[0]["code"]), level, statement, {"run": run.folder.name}))
    if sweep.missing:
        numbers = ", ".join(map(str, sweep.missing))
        statement = f"Jobs that left no run, and are in no table or figure: {numbers}."
        found.append(Finding("job_without_a_run", "undecided", statement))
    return sorted(found, key=lambda one: LEVELS.index(one.level))
