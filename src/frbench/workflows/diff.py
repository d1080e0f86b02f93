"""Compare runs: what differs in their inputs, which cells moved beyond noise, who yields most."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from frbench.errors import InputError
from frbench.run_diff.words import Words, words_of

if TYPE_CHECKING:
    from frbench.run_diff.outcome import Compared

HELP = """
  frbench diff RUN RUN …           the first run is the one that the others are compared with
  frbench diff A B output=DIR      writes diff.md, diff.json, report.html and the tables there
  frbench diff runs/sweep          all runs in a folder

  criteria.worst_group_fmr=1e-3    the rate approved for the worst group, for the ranking
  format=markdown                  what is printed: markdown or json
  only=all                         all, inputs, cells or ranking
  correction=holm                  over all cells: holm (family-wise) or bh (false discovery rate)
  level=0.95                       confidence level
  arm=after                        which matcher of runs that hold two
  same_population=true             sets of other names are samples of one population
  gate=none                        exit status 1 when a cell rose: none, note or watch
"""

SETTINGS = (
    *("output", "format", "only", "correction", "level", "arm", "gate"),
    "criteria.worst_group_fmr",
)
GATES = ("none", "note", "watch", "flag")


def command(arguments: Sequence[str]) -> int:
    """Compares, prints, writes; gives the exit status.

    Raises:
        InputError: fewer than two runs, or runs that cannot be compared.
    """
    if not arguments or set(arguments) & {"--help", "-h"}:
        print(__doc__, HELP, sep="\n")
        return 0
    words = words_of(arguments, SETTINGS, ("same_population",))
    started = datetime.now(UTC)
    form = words.choice("format", ("markdown", "json"))
    gate = words.choice("gate", GATES)
    found = compare_runs(words)
    from frbench.judging import exit_status
    from frbench.run_diff.markdown import markdown

    text = markdown(found)
    if "output" in words.settings:
        place = _saved(found, words, started, text)
        print(f"Report: {place / 'report.html'}", file=sys.stderr)
    if form == "json":
        text = json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n"
    sys.stdout.write(text)
    return exit_status(found.findings(), gate)


def compare_runs(words: Words) -> Compared:
    """Everything that was asked for. Raises InputError as ``command``."""
    from frbench.run_diff.comparable import common_ground
    from frbench.run_diff.inputs import differences
    from frbench.run_diff.loaded import load_runs, run_folders
    from frbench.run_diff.moved import moved_cells
    from frbench.run_diff.outcome import Compared
    from frbench.run_diff.ranking import Approved, ranking

    level = words.number("level", 0.95)
    correction = words.choice("correction", ("holm", "bh"))
    only = words.choice("only", ("all", "inputs", "cells", "ranking"))
    approved = Approved(words.number("criteria.worst_group_fmr", 1e-3), level)
    folders = run_folders(words.names)
    if len(folders) < 2:
        raise InputError(
            f"{len(folders)} run folder{'s' * (len(folders) != 1)} given; name at least two, e.g. "
            "frbench diff runs/A runs/B"
        )
    runs = load_runs(folders, words.settings.get("arm"))
    cells = ranked = None
    paired: frozenset[str] = frozenset()
    notes: Sequence[str] = ()
    if only != "inputs":
        same = words.flag("same_population")
        common = common_ground(runs, same_population=same, points_needed=only != "ranking")
        paired, notes = common.paired, common.notes
        if only != "ranking":
            cells = moved_cells(runs, common, level=level, correction=correction)
        if only != "cells":
            ranked = ranking(runs, common, approved)
    inputs = differences(runs) if only in ("all", "inputs") else []
    return Compared(runs, inputs, cells, ranked, paired, notes, approved, correction, level)


def _saved(found: Compared, words: Words, started: datetime, text: str) -> Path:
    """Writes a run folder of its own; returns it."""
    from frbench.jobs import Outcome, save_outcome
    from frbench.run_diff.page import diff_page
    from frbench.runs import hash_file, write_json
    from frbench.staging import run_place, staged
    from frbench.tables import SCHEMA_VERSION

    place = run_place(words.settings["output"])
    tables = {"inputs": found.inputs_table()}
    tables |= {} if found.cells is None else {"cells": found.cells}
    tables |= {} if found.ranking is None else {"ranking": found.ranking}
    compared = [
        {"letter": run.letter, "run_id": run.record.get("run_id"), "arm": run.arm}
        | {"folder": str(run.folder), "record_sha256": hash_file(run.folder / "run.json")}
        for run in found.runs
    ]
    outcome = Outcome(
        tables=tables,
        findings=found.findings(),
        page=lambda record: diff_page(found, record),
        config={"runs": [str(run.folder) for run in found.runs], **words.settings},
        inputs={"compared": compared},
        extras=(
            lambda folder: write_json(folder / "diff.json", found.as_json()),
            lambda folder: _write(folder / "diff.md", text),
        ),
    )
    partial = place.with_name(f".{place.name}.partial-{os.urandom(4).hex()}")
    with staged(place, partial) as folder:
        finished = datetime.now(UTC)
        common = {
            "schema_version": SCHEMA_VERSION,
            "run_id": place.name,
            "verb": "diff",
            "started": started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "seconds": {"all": round((finished - started).total_seconds(), 3)},
            "overrides": [f"{key}={value}" for key, value in words.settings.items()],
        }
        save_outcome(folder, outcome, common)
    return place


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
