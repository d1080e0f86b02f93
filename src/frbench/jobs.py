"""What every verb with a run folder shares: staging, the record, the page, the exit status.

A verb's module builds an ``Outcome``; ``run_job`` saves it whole or not at all and prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console, RenderableType
from rich.text import Text

from frbench import runs
from frbench.findings_files import write_findings
from frbench.judging import exit_status
from frbench.page.document import Document, write_document
from frbench.progress import Stages
from frbench.runtime import machine
from frbench.staging import run_place, staged
from frbench.tables import SCHEMA_VERSION
from frbench.terminal import findings_lines
from frbench.values import Finding

WIDTH = 100
"""Columns of the summary where no terminal says how wide it is."""


@dataclass(frozen=True)
class Outcome:
    """What a verb found.

    Attributes:
        tables: name -> table, each written as ``NAME.parquet`` and ``NAME.csv``.
        findings: answers of the rules, gravest first.
        page: the page, made from the record once that is complete.
        config: the whole configuration as plain data.
        inputs: what was read, with hashes: keys of ``run.json`` beside the common ones.
        summary: what the terminal shows before the findings.
        gate: level of findings from which the exit status is 1.
        extras: further files to write into the folder, by a callable each.
    """

    tables: Mapping[str, pd.DataFrame]
    findings: Sequence[Finding]
    page: Callable[[Mapping[str, Any]], Document]
    config: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    summary: Sequence[RenderableType] = ()
    gate: str = "none"
    seed: int | None = None
    device: str | None = None
    extras: Sequence[Callable[[Path], None]] = ()


def run_job(cfg: DictConfig, verb: str, work: Callable[[DictConfig, Stages], Outcome]) -> int:
    """One job of the command line: run, save, show; gives the exit status.

    Raises:
        InputError: what ``work`` raises, or the run folder cannot be written.
    """
    hydra = HydraConfig.get()
    started = datetime.now(UTC)
    partial = Path(hydra.runtime.output_dir)
    final = run_place(str(cfg.output))
    if hydra.mode == RunMode.MULTIRUN:
        final = partial.with_name(job_name(hydra.job.num, hydra.overrides.task))
    console = Console(stderr=True)
    with staged(final, partial) as folder:
        stages = Stages(console)
        outcome = work(cfg, stages)
        common = {
            "schema_version": SCHEMA_VERSION,
            "run_id": final.name,
            "verb": verb,
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": stages.seconds,
            "overrides": list(hydra.overrides.task),
        }
        save_outcome(folder, outcome, common)
    shown = Console(width=None if console.is_terminal else WIDTH)
    # the console leaves so when nobody reads on, as in `| head`; the run is complete by then
    with suppress(SystemExit):
        for each in [*outcome.summary, *findings_lines(outcome.findings)]:
            shown.print(each)
        shown.print(Text.assemble("Report: ", (str(final / "report.html"), "bold")), soft_wrap=True)
    return exit_status(tuple(outcome.findings), outcome.gate)


def save_outcome(folder: Path, outcome: Outcome, common: Mapping[str, Any]) -> None:
    """Writes tables, findings, page and last ``run.json`` and the checksums of all files."""
    record = {
        **common,
        "seed": outcome.seed,
        "device": outcome.device,
        **outcome.inputs,
        "config": outcome.config,
        "code": runs.code_revision(),
        "packages": runs.packages(),
        "machine": machine(),
    }
    for name, table in outcome.tables.items():
        runs.write_table(folder, name, table)
    write_findings(folder, outcome.findings, verb=str(common["verb"]), gate=outcome.gate)
    for write in outcome.extras:
        write(folder)
    write_document(outcome.page(runs.plain(record)), folder / "report.html")
    runs.write_json(folder / "run.json", {**record, "artefacts": runs.artefact_hashes(folder)})
    runs.write_checksums(folder)


def job_name(number: int, overrides: Sequence[str]) -> str:
    """A sweep's folder, named after what the sweep varies; the rest is the same for all jobs."""
    typed = OverridesParser.create().parse_overrides(
        [w for w in sys.argv if not w.startswith("-") and "=" in w]
    )
    keys = {each.key_or_group for each in typed if each.is_sweep_override()}
    swept = [each for each in overrides if each.partition("=")[0].lstrip("+") in keys]
    words = "_".join(each.replace("/", "-") for each in swept or overrides)
    return f"{number}_{words}"[:100]
