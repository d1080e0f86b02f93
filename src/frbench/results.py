"""What an evaluation found, and its run folder: tables, tally, findings, record and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from frbench import runs
from frbench.equal_error import equal_error_rate
from frbench.findings_files import write_findings
from frbench.input_files import IMAGE_TABLE, file_records, image_digests
from frbench.reporting import ReportData, write_report
from frbench.runtime import machine
from frbench.settings import EvaluateConfig
from frbench.tables import SCHEMA_VERSION
from frbench.values import FaceSet, Finding, ScoreTally, Threshold


@dataclass(frozen=True)
class ArmResult:
    """What one matcher gave.

    Attributes:
        name: "" when alone, else ``before`` or ``after``.
        matcher: its name, identity, preprocessing, detector and fingerprint, for the record.
    """

    name: str
    matcher: Mapping[str, Any]
    tally: ScoreTally
    thresholds: tuple[Threshold, ...]
    rates: pd.DataFrame
    gaps: pd.DataFrame


@dataclass(frozen=True)
class Results:
    """All that a run folder is written from.

    Attributes:
        tables: further tables by file name, such as ``tests`` or ``frontier`` (``extras.py``).
        read: the set as it was read and grouped, the images left out later and the calibration
            persons included; their files are hashed. None hashes no image.
    """

    faces: FaceSet
    arms: tuple[ArmResult, ...]
    rates: pd.DataFrame
    gaps: pd.DataFrame
    change: pd.DataFrame | None
    findings: tuple[Finding, ...]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    read: FaceSet | None = None

    @property
    def counts(self) -> pd.DataFrame:
        """Persons, images and failures to enrol per group, a row per group.

        ``failed`` counts the last arm's; with two arms both stand in ``rates``.
        """
        table = self.faces.faces[["group", "subject_id"]]
        enrolled = self.arms[-1].tally.enrolled
        by_group = table.assign(failed=~enrolled).groupby("group", observed=False)
        counts = by_group.agg(
            subjects=("subject_id", "nunique"),
            images=("subject_id", "size"),
            failed=("failed", "sum"),
        )
        return counts.astype("int64").reset_index().astype({"group": "str"})


@dataclass(frozen=True)
class Moment:
    """When and as what a run was made."""

    run_id: str
    verb: str
    started: datetime
    finished: datetime
    overrides: Sequence[str]
    seconds: Mapping[str, float]


def save_run(
    folder: Path, results: Results, config: EvaluateConfig, moment: Moment
) -> runs.RunRecord:
    """Writes everything but the ``.hydra`` folder into ``folder``; ``run.json`` and the checksums
    over all files come last.

    The report is made from the record without the hashes of the files, since it is one of them.
    """
    record = replace(_record(results, config, moment), inputs=_inputs(folder, results, config))
    runs.write_table(folder, "rates", results.rates)
    runs.write_table(folder, "gaps", results.gaps)
    if results.change is not None:
        runs.write_table(folder, "change", results.change)
    for name, table in results.tables.items():
        runs.write_table(folder, name, table)
    for arm in results.arms:
        runs.write_tally(folder / "tally" / arm.name, arm.tally)
    write_findings(folder, results.findings, verb=moment.verb, gate=config.gate)
    write_report(report_data(results, record), folder / "report.html")
    record = replace(record, artefacts=runs.artefact_hashes(folder))
    runs.write_json(folder / "run.json", record)
    runs.write_checksums(folder)
    return record


def _inputs(folder: Path, results: Results, config: EvaluateConfig) -> dict[str, Any]:
    """What was read, hashed, so that ``frbench runs verify`` can tell whether it still stands."""
    found: dict[str, Any] = {"files": file_records(config.resolved)}
    if results.read is None:
        return found
    found["set_sha256"] = runs.hash_table(results.read.faces)
    if any(not hasattr(arm.matcher, "lookup") for arm in config.arms):
        digests = image_digests(results.read)[["sha256"]]
        digests.to_parquet(folder / IMAGE_TABLE, index=False)
        found["images"] = {"count": len(digests), "sha256": runs.hash_table(digests)}
    return found


def report_data(results: Results, record: runs.RunRecord) -> ReportData:
    """The page's view of the results."""
    return ReportData(
        record=runs.plain(record),
        rates=results.rates,
        gaps=results.gaps,
        findings=results.findings,
        thresholds={arm.name: arm.thresholds for arm in results.arms},
        groups=results.arms[0].tally.groups,
        counts=results.counts,
        histograms={arm.name: arm.tally.histogram for arm in results.arms},
        change=results.change,
        ordered=results.arms[0].tally.ordered,
        tables=results.tables,
    )


def _record(results: Results, config: EvaluateConfig, moment: Moment) -> runs.RunRecord:
    faces = results.faces
    return runs.RunRecord(
        schema_version=SCHEMA_VERSION,
        run_id=moment.run_id,
        verb=moment.verb,
        started=moment.started.isoformat(timespec="seconds"),
        finished=moment.finished.isoformat(timespec="seconds"),
        seconds=moment.seconds,
        config=config.resolved,
        overrides=moment.overrides,
        seed=config.seed,
        device=config.device,
        code=runs.code_revision(),
        packages=runs.packages(),
        machine=machine(),
        benchmark={
            "name": faces.name,
            "version": faces.version,
            "synthetic": faces.synthetic,
            "about": dict(faces.about),
            "images": len(faces.faces),
            "subjects": int(faces.faces["subject_id"].nunique()),
            "groups": list(results.arms[0].tally.groups),
            "labels_sha256": runs.hash_table(faces.faces),
        },
        matchers=[{"arm": arm.name, **arm.matcher} for arm in results.arms],
        thresholds=[
            runs.threshold_row(arm.name, each) for arm in results.arms for each in arm.thresholds
        ],
        comparisons=[
            {
                "arm": arm.name,
                "policy": arm.tally.policy,
                "floor": arm.tally.floor,
                "listed_above_floor": len(arm.tally.tail),
                "equal_error": equal_error_rate(arm.tally),
                **arm.tally.work,
            }
            for arm in results.arms
        ],
        groups=[
            {str(key): value for key, value in row.items()}
            for row in results.counts.to_dict("records")
        ],
    )
