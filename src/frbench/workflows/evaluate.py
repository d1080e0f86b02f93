"""Measure a matcher on a labelled set: error rates per group, intervals, findings, report.

``run`` is the whole flow; read it first. Its steps are single calls to the rooms of the package,
and the other verbs call ``measure`` for the five lines in the middle.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from frbench.comparison import compare
from frbench.embedding import check_images, embed
from frbench.errors import InputError
from frbench.gaps import differentials, paired_change
from frbench.groups import assign_groups
from frbench.judging import Evidence, judge
from frbench.progress import Stages
from frbench.rates import error_rates
from frbench.results import ArmResult, Moment, Results, report_data, save_run
from frbench.runs import plain
from frbench.runtime import generator
from frbench.settings import Arm, EvaluateConfig, check
from frbench.staging import run_place, staged
from frbench.terminal import print_summary
from frbench.thresholds import choose_thresholds
from frbench.values import EmbeddingSet, FaceSet, Finding

WIDTH = 100
"""Columns of the summary where no terminal says how wide it is."""


def run(config: EvaluateConfig, stages: Stages) -> Results:
    """The flow, in one direction."""
    with stages("reading the set") as progress:
        faces = assign_groups(config.benchmark.load(progress=progress), config.groups)
    arms = tuple(measure(faces, arm, config, stages) for arm in config.arms or (None,))
    change = _change(arms, config, stages)
    rates = pd.concat([arm.rates for arm in arms], ignore_index=True)
    gaps = pd.concat([arm.gaps for arm in arms], ignore_index=True)
    with stages("judging"):
        evidence = Evidence(
            rates=rates,
            gaps=gaps,
            thresholds={arm.name: arm.thresholds for arm in arms},
            change=change,
            faces=faces,
        )
        findings = judge(evidence, config.rules)
    return Results(faces, arms, rates, gaps, change, tuple(findings))


def measure(faces: FaceSet, arm: Arm | None, config: EvaluateConfig, stages: Stages) -> ArmResult:
    """The five lines in the middle: one matcher on one set, down to its tables.

    Without an arm the comparisons come from the benchmark's own list of scores.
    """
    name = arm.name if arm else ""
    label = f" ({name})" if name else ""
    if arm is None:
        tally = config.benchmark.tally(faces)
        matcher = config.benchmark.matcher_record()
    else:
        vectors = _templates(faces, arm, config, stages, label)
        matcher = _matcher_record(arm, vectors)
        with stages(f"comparing all pairs{label}") as progress:
            tally = compare(
                vectors,
                faces.faces,
                config.comparison,
                progress=progress,
                checkpoint=config.cache / "unfinished",
            )
    with stages(f"error rates and intervals{label}"):
        thresholds = choose_thresholds(
            tally,
            config.operating_point.target_fmr,
            fixed=config.operating_point.fixed,
            chosen_on=matcher["fingerprint"],
        )
        rates = error_rates(
            tally,
            thresholds,
            config.interval,
            arm=name,
            matcher=matcher["name"],
            benchmark=faces.name,
            rng=generator(config.seed, "rates"),
        )
    with stages(f"differences between groups{label}"):
        gaps = differentials(
            tally,
            thresholds,
            rates,
            config.measures,
            config.interval,
            rng=generator(config.seed, "gaps"),
        )
    return ArmResult(name, matcher, tally, thresholds, rates, gaps)


def main(cfg: DictConfig) -> int:
    """One job of the command line: run, save, show; gives the exit status."""
    hydra = HydraConfig.get()
    started = datetime.now(UTC)
    partial = Path(hydra.runtime.output_dir)
    final = run_place(str(cfg.output))
    if hydra.mode == RunMode.MULTIRUN:
        final = partial.with_name(_job_name(hydra.job.num, hydra.overrides.task))
    console = Console(stderr=True)
    with staged(final, partial) as folder:
        config = check(cfg)
        stages = Stages(console)
        results = run(config, stages)
        moment = Moment(
            run_id=final.name,
            verb="evaluate",
            started=started,
            finished=datetime.now(UTC),
            overrides=list(hydra.overrides.task),
            seconds=stages.seconds,
        )
        record = save_run(folder, results, config, moment)
    shown = Console(width=None if console.is_terminal else WIDTH)
    # the console leaves so when nobody reads on, as in `| head`; the run is complete by then
    with suppress(SystemExit):
        print_summary(report_data(results, record), final / "report.html", shown)
    return exit_status(results.findings, config.gate)


def exit_status(findings: tuple[Finding, ...], gate: str) -> int:
    """0 nothing at the gate, 1 a finding at or above it, 3 a question left undecided."""
    order = ("note", "watch", "flag")
    if gate == "none":
        return 0
    levels = {finding.level for finding in findings}
    if levels.intersection(order[order.index(gate) :]):
        return 1
    return 3 if "undecided" in levels else 0


def _templates(
    faces: FaceSet, arm: Arm, config: EvaluateConfig, stages: Stages, label: str
) -> EmbeddingSet:
    if config.embedding.unreadable == "error" and not hasattr(arm.matcher, "lookup"):
        with stages(f"checking image files{label}"):
            check_images(faces)
    with stages(f"finding and embedding faces{label}") as progress:
        vectors = embed(
            faces,
            arm.detector,
            arm.matcher,
            choice=config.embedding.choice,
            batch=config.embedding.batch,
            cache=config.cache,
            unreadable=config.embedding.unreadable,
            progress=progress,
        )
    if not vectors.enrolled.any():
        reasons = Counter(str(each) for each in vectors.failure).most_common(1)
        raise InputError(
            f"no image of {faces.name} gave a template; the commonest reason, for "
            f"{reasons[0][1]} of {len(vectors.failure)}: {reasons[0][0]}; try another detector, "
            "e.g. detector=precropped for images that are cropped to the face already."
        )
    return vectors


def _matcher_record(arm: Arm, vectors: EmbeddingSet) -> dict[str, Any]:
    record: dict[str, Any] = {"name": arm.matcher.name, "fingerprint": vectors.fingerprint}
    if hasattr(arm.matcher, "preprocess"):
        record["preprocess"] = arm.matcher.preprocess.identity()
    if hasattr(arm.matcher, "identity"):
        record["identity"] = plain(arm.matcher.identity())
    if arm.detector is not None:
        record["detector"] = {"name": arm.detector.name, **plain(arm.detector.identity())}
    return record


def _change(
    arms: tuple[ArmResult, ...], config: EvaluateConfig, stages: Stages
) -> pd.DataFrame | None:
    if len(arms) < 2:
        return None
    before, after = arms
    with stages("change from before to after"):
        return paired_change(
            (before.tally, before.thresholds),
            (after.tally, after.thresholds),
            rng=generator(config.seed, "change"),
        )


def _job_name(number: int, overrides: list[str]) -> str:
    """After what the sweep varies; the rest is the same for all jobs."""
    typed = OverridesParser.create().parse_overrides(
        [w for w in sys.argv if not w.startswith("-") and "=" in w]
    )
    keys = {each.key_or_group for each in typed if each.is_sweep_override()}
    swept = [each for each in overrides if each.partition("=")[0].lstrip("+") in keys]
    words = "_".join(each.replace("/", "-") for each in swept or overrides)
    return f"{number}_{words}"[:100]
