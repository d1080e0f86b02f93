"""Check a labelled set before any run: images, persons, duplicates, labels, what it can show."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from frbench.comparison import ComparisonSpec
from frbench.config import Builder, resolved
from frbench.errors import InputError
from frbench.formatting import integer, label_text, percent, shorten
from frbench.groups import GroupSpec, assign_groups
from frbench.image_hashes import hash_images
from frbench.judging import LEVELS, exit_status
from frbench.progress import Stages
from frbench.rules import Evidence
from frbench.rules.training_overlap import TrainingOverlap
from frbench.runs import plain
from frbench.runtime import DeviceSpec
from frbench.set_composition import comparisons, group_table, listed_comparisons
from frbench.set_findings import (
    CheckSpec,
    Files,
    Report,
    about_files,
    about_groups,
    about_labels,
    files_of,
)
from frbench.settings import GATES
from frbench.tables import SCHEMA_VERSION
from frbench.terminal import findings_lines
from frbench.values import Bools, FaceSet, Finding, Int64s

WIDTH = 100
SHOWN = 5
"""Cases of a finding that the terminal lists; ``check.json`` has all of them."""


@dataclass(frozen=True)
class Job:
    """The checked settings of ``frbench check``."""

    benchmark: Any
    matcher: Any
    groups: GroupSpec
    same: tuple[str, ...]
    check: CheckSpec
    cache: Path
    gate: str


@dataclass(frozen=True)
class Checked:
    """What was found: the set, a row per group, findings gravest first, and their cases."""

    faces: FaceSet
    groups: pd.DataFrame
    report: Report


def run(job: Job, stages: Stages) -> Checked:
    """The flow: read the set, hash its files, count, judge."""
    with stages("reading the set") as progress:
        loaded = job.benchmark.load(progress=progress)
    # contradictions are counted here, so that a set that evaluate would refuse is described whole
    faces = assign_groups(loaded, replace(job.groups, on_conflict="keep"))
    report = Report()
    usable = np.ones(len(faces.faces), dtype=np.bool_)
    stored = hasattr(job.matcher, "lookup")
    if job.check.images and not hasattr(job.benchmark, "tally") and not stored:
        usable = _files(faces, job, stages, report)
    if stored:
        with stages("looking up templates"):
            job.matcher.lookup(faces.faces["image_id"].to_numpy(dtype=np.str_))
    elif job.matcher is not None and hasattr(job.matcher, "identity"):
        with stages("opening the matcher"):
            job.matcher.identity()
    with stages("counting"):
        cells = _cells(faces, job)
        groups = group_table(faces, usable, cells)
        by = tuple(filter(None, faces.about.get("grouped_by", "").split(", ")))
        about_labels(loaded, job.groups, by, job.check.unlabelled, report)
        about_groups(faces, groups, cells, report)
        report.findings += _overlap(faces, job.matcher)
    report.findings.sort(key=lambda finding: LEVELS.index(finding.level))
    return Checked(faces, groups, report)


def main(cfg: DictConfig) -> int:
    """One job of the command line: check, save, show; gives the exit status."""
    job = settled(cfg)
    console = Console(stderr=True)
    checked = run(job, Stages(console))
    place = Path(str(cfg.output)).expanduser() / "check.json"
    _save(checked, place)
    shown = Console(width=None if console.is_terminal else WIDTH)
    # the console leaves so when nobody reads on, as in `| head`
    with suppress(SystemExit):
        _show(checked, place, shown)
    return exit_status(tuple(checked.report.findings), job.gate)


def settled(cfg: DictConfig) -> Job:
    """Binds and builds every part; reads no data. Raises InputError with every problem at once."""
    settings = resolved(cfg)
    kind = str((settings["device"] or {}).get("kind", "auto"))
    # only a matcher needs a device, and asking for one takes seconds
    device = DeviceSpec(kind=kind).resolve() if settings["matcher"] else "cpu"
    cache = Path(str(settings["cache"])).expanduser()
    builder = Builder(device=device, cache=cache)
    benchmark = builder.part(settings["benchmark"], "benchmark")
    if benchmark is None and not builder.problems:
        builder.problems.append("benchmark: name a set, e.g. benchmark=synthetic")
    matcher = builder.part(settings["matcher"], "matcher") if settings["matcher"] else None
    groups = builder.settings(GroupSpec, settings["groups"], "groups")
    comparison = builder.settings(ComparisonSpec, settings["comparison"], "comparison")
    check = builder.settings(CheckSpec, settings["check"], "check")
    gate = builder.choice(settings["gate"], GATES, "gate")
    builder.done()
    assert groups is not None
    assert comparison is not None
    assert check is not None
    return Job(benchmark, matcher, groups, comparison.same, check, cache, gate)


def _files(faces: FaceSet, job: Job, stages: Stages, report: Report) -> Bools:
    """Hashes every file; says which rows of the set have only usable ones."""
    table = files_of(faces)
    with stages("reading every image") as progress:
        paths = [faces.root / path for path in table["path"]]
        hashes = hash_images(paths, cache=job.cache, progress=progress)
    with stages("looking for duplicates"):
        about_files(Files(table, hashes), job.check.distance, report)
    bad = table.loc[[bool(item.fault) for item in hashes], "image_id"]
    usable: Bools = ~faces.faces["image_id"].isin(bad).to_numpy()
    return usable


def _overlap(faces: FaceSet, matcher: Any) -> list[Finding]:
    """Whether the matcher was trained on people of the set, as far as that is known."""
    data = tuple(getattr(matcher, "training_data", ()))
    if not data:
        return []
    training = {"": data}
    nothing = pd.DataFrame()
    evidence = Evidence(nothing, nothing, {"": ()}, faces, training=training)
    return TrainingOverlap().findings(evidence)


def _cells(faces: FaceSet, job: Job) -> tuple[Int64s, Int64s]:
    if not hasattr(job.benchmark, "tally"):
        return comparisons(faces, job.same)
    tally = job.benchmark.tally(faces)
    listed = tally.listed
    return listed_comparisons(
        tally.group.astype(np.int64),
        tally.subject.astype(np.int64),
        listed.first.astype(np.int64),
        listed.second.astype(np.int64),
        len(tally.groups),
    )


def _save(checked: Checked, place: Path) -> None:
    """The whole file or nothing of it; cases can name people, so it is the owner's alone."""
    record: Mapping[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "verb": "check",
        "benchmark": {
            "name": checked.faces.name,
            "version": checked.faces.version,
            "synthetic": checked.faces.synthetic,
            "about": dict(checked.faces.about),
        },
        "groups": checked.groups.to_dict(orient="records"),
        "findings": [asdict(each) for each in checked.report.findings],
        "cases": checked.report.cases,
    }
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=place.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(plain(record), stream, indent=2, ensure_ascii=False)
        os.replace(name, place)
    except OSError as cause:
        raise InputError(
            f"{cause.filename or place}: cannot be written ({cause.strerror}); choose another "
            "folder with output=DIR."
        ) from None


def _show(checked: Checked, place: Path, console: Console) -> None:
    if checked.faces.synthetic:
        console.print(Text("Synthetic faces: no real person is shown.", style="bold yellow"))
    table = Table(
        title=Text(f"{label_text(checked.faces.name)}: what the set holds, per group"),
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("group", overflow="fold", max_width=30)
    words = ("images", "persons", "one image", "unusable", "mated", "non-mated", "smallest FMR")
    for name in words:
        table.add_column(name, justify="right")
    for row in checked.groups.to_dict(orient="records"):
        numbers = [row[name] for name in checked.groups.columns[1:-1]]
        limit = row["smallest_fmr"]
        table.add_row(
            Text(shorten(label_text(row["group"]), 60)),
            *map(integer, numbers),
            percent(limit) if limit == limit else "–",
        )
    console.print(table)
    console.print(
        Text("smallest FMR: upper 95 % limit if nobody were falsely matched", style="dim")
    )
    for notice in checked.faces.notices:
        console.print(Text(label_text(notice), style="dim"))
    if not checked.report.findings:
        console.print(Text("Nothing found that needs mending or saying.", style="green"))
    for line in (
        findings_lines(checked.report.findings, shown=20) if checked.report.findings else ()
    ):
        console.print(line)
    for code, cases in checked.report.cases.items():
        console.print(Text(code, style="bold"))
        for case in cases[:SHOWN]:
            console.print(Text(f"  {label_text(case)}"), soft_wrap=True)
        if len(cases) > SHOWN:
            console.print(Text(f"  … and {len(cases) - SHOWN} more", style="dim"))
    console.print(Text.assemble("All of it: ", (str(place), "bold")), soft_wrap=True)
