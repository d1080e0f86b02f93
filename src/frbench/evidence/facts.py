"""What the papers say of each run, read from its folder: names, rates, findings, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from frbench.formatting import integer, rate_in_words, rate_text
from frbench.page.sentences import not_tested, threshold_sentence, verdict
from frbench.reporting import ReportData
from frbench.runs import read_findings
from frbench.stored_run import read_record, read_report_data
from frbench.values import ALL, Finding


@dataclass(frozen=True)
class RunFacts:
    """One run as the papers tell of it.

    Attributes:
        folder: where the run lies.
        key: its folder's name in the pack.
        record: content of ``run.json``.
        findings: answers of its rules.
        data: its measurements; None for a verb that measures no matcher.
    """

    folder: Path
    key: str
    record: Mapping[str, Any]
    findings: Sequence[Finding]
    data: ReportData | None

    @property
    def name(self) -> str:
        """How the papers call it."""
        return str(self.record.get("run_id", self.folder.name))

    @property
    def verb(self) -> str:
        """What made it."""
        return str(self.record.get("verb", "unknown"))

    @property
    def benchmark(self) -> Mapping[str, Any]:
        """The record's words on the set; empty where there is none."""
        found = self.record.get("benchmark") or {}
        return found if isinstance(found, Mapping) else {}

    @property
    def matchers(self) -> list[Mapping[str, Any]]:
        """The record's words on the matchers."""
        return [each for each in self.record.get("matchers") or () if isinstance(each, Mapping)]

    @property
    def label_source(self) -> str:
        """Who assigned the group labels, or that this is not recorded."""
        about = self.benchmark.get("about") or {}
        told = (about.get(key) for key in ("label_provenance", "labels", "label_source"))
        return str(next((each for each in told if each), "not recorded who assigned the labels"))

    @property
    def labels(self) -> list[str]:
        """Columns by which the groups were formed."""
        groups = (self.record.get("config") or {}).get("groups") or {}
        by = groups.get("by") if isinstance(groups, Mapping) else None
        if isinstance(by, str):
            return [by]
        if by:
            return [str(each) for each in by]
        told = str((self.benchmark.get("about") or {}).get("grouped_by", ""))
        return [each.strip() for each in told.replace("×", ",").split(",") if each.strip()]


def facts_of(folder: Path, number: int) -> RunFacts:
    """Reads one run folder. Raises InputError when it is none, or damaged."""
    record = read_record(folder)
    path = folder / "findings.json"
    findings = read_findings(path) if path.is_file() else []
    data = read_report_data(folder) if record.get("verb") == "evaluate" else None
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in folder.resolve().name)
    return RunFacts(folder, f"{number:02d}_{safe[:80]}", record, findings, data)


def verdict_line(run: RunFacts) -> str:
    """The run's verdict in a line."""
    found = verdict(run.findings)
    return f"{found.word}: {found.sentence}"


def threshold_lines(run: RunFacts) -> list[str]:
    """Every operating point and how it was set."""
    if run.data is None:
        return []
    lines = []
    for arm, points in run.data.thresholds.items():
        start = f"{arm}: " if arm else ""
        lines += [f"{start}{point.label}. {threshold_sentence(point)}" for point in points]
    return lines


def limits_of(run: RunFacts) -> list[str]:
    """What the run did not test; empty where its own page says it."""
    if run.data is None:
        return []
    return not_tested(run.data.rates, run.data.counts, run.benchmark)


def group_rows(run: RunFacts) -> list[list[str]]:
    """Group, persons, images, images without a template: as words."""
    if run.data is None:
        return []
    return [
        [str(row["group"]), *(integer(row[key]) for key in ("subjects", "images", "failed"))]
        for row in run.data.counts.to_dict("records")
    ]


def rate_rows(run: RunFacts) -> list[list[str]]:
    """Matcher, group, and FMR, FNMR and FTE with their intervals at the first operating point."""
    if run.data is None:
        return []
    rates = run.data.rates
    own = rates[rates["probe_group"] == rates["reference_group"]]
    rows = []
    for arm, points in run.data.thresholds.items():
        mine = own[own["arm"] == arm]
        if points:
            mine = mine[mine["operating_point"] == points[0].label]
        for group in [ALL, *run.data.groups]:
            cells = mine[mine["probe_group"] == group]
            told = [_rate(cells, kind) for kind in ("FMR", "FNMR", "FTE")]
            if any(told):
                rows.append([arm or "–", group, *(each or "–" for each in told)])
    return rows


def _rate(cells: pd.DataFrame, kind: str) -> str:
    chosen = cells[cells["kind"] == kind].to_dict("records")
    if not chosen:
        return ""
    row = {str(key): value for key, value in chosen[0].items()}
    frequency = f"; {rate_in_words(row)}" if kind == "FMR" and row["rate"] > 0 else ""
    return f"{rate_text(row)}{frequency}; {integer(row['subjects'])} persons"
