"""A finished run folder -> what its page is drawn from, so that it can be drawn again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from frbench.errors import InputError
from frbench.reporting import ReportData
from frbench.runs import read_findings, read_tally
from frbench.values import ScoreTally, Threshold

OWN = ("rates", "gaps", "change")
"""Tables with a field of their own in ``ReportData``; all others are further tables."""

NUMBERS = ("value", "achieved_fmr")


def read_record(folder: Path) -> dict[str, Any]:
    """Content of ``run.json``.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise InputError(f"{folder}: no run.json in it; name the folder of a finished run.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise InputError(f"{path}: cannot be read ({cause}); the run folder is damaged.") from cause
    if not isinstance(record, dict):
        raise InputError(f"{path}: not the record of a run; the run folder is damaged.")
    return record


def read_report_data(folder: Path) -> ReportData:
    """What the page of an ``evaluate`` run is drawn from, as it was when the run was saved.

    Raises:
        InputError: the folder is no run of ``evaluate``, or a file of it is missing or damaged.
    """
    record = read_record(folder)
    if record.get("verb") != "evaluate":
        raise InputError(
            f"{folder}: a run of {record.get('verb', 'an unknown verb')}, whose page cannot be "
            "drawn again from its tables; its report.html is the page."
        )
    try:
        return _data(folder, record)
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise InputError(
            f"{folder}: the page cannot be drawn from this run folder ({cause}); check it with "
            "'frbench runs verify'."
        ) from cause


def read_thresholds(record: Mapping[str, Any]) -> dict[str, tuple[Threshold, ...]]:
    """Per arm, its operating points in order; the earlier arm first."""
    known = {each.name for each in fields(Threshold)}
    found: dict[str, tuple[Threshold, ...]] = {}
    for row in record["thresholds"]:
        values = {key: row[key] for key in row if key in known}
        # JSON has no NaN and no infinity: the record writes null and "inf"
        values |= {key: _number(values[key]) for key in NUMBERS}
        found[row["arm"]] = (*found.get(row["arm"], ()), Threshold(**values))
    return found


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Every table at the top of the folder, by name, with its types."""
    return {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}


def arm_names(record: Mapping[str, Any]) -> list[str]:
    """Names of the run's arms in order; one nameless arm where there is a single matcher."""
    return list(dict.fromkeys(str(each.get("arm", "")) for each in record["matchers"]))


def _data(folder: Path, record: dict[str, Any]) -> ReportData:
    tallies = {arm: read_tally(folder / "tally" / arm) for arm in arm_names(record)}
    first: ScoreTally = next(iter(tallies.values()))
    tables = read_tables(folder)
    thresholds = read_thresholds(record)
    return ReportData(
        # the page was made before the hashes of the files were known
        record={**record, "artefacts": {}},
        rates=tables["rates"],
        gaps=tables["gaps"],
        findings=read_findings(folder / "findings.json"),
        thresholds={arm: thresholds.get(arm, ()) for arm in tallies},
        groups=first.groups,
        counts=pd.DataFrame(record["groups"], columns=["group", "subjects", "images", "failed"]),
        histograms={arm: tally.histogram for arm, tally in tallies.items()},
        change=tables.get("change"),
        ordered=first.ordered,
        tables={name: table for name, table in tables.items() if name not in OWN},
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
