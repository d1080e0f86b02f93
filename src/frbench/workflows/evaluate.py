"""Measure a matcher on a labelled set: error rates per group, intervals, findings, report.

``run`` is the whole flow; read it first. Its steps are single calls to the rooms of the package,
and the other verbs call ``measure`` for the five lines in the middle.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from frbench.black_box import Surroundings, count_black_box, shared_points, with_statement
from frbench.calibration import split_persons
from frbench.comparison import compare
from frbench.embedding import check_images, embed
from frbench.errors import InputError
from frbench.explaining import strata_of
from frbench.extras import extra_tables
from frbench.gaps import differentials, paired_change
from frbench.groups import assign_groups
from frbench.jobs import WIDTH, job_name
from frbench.judging import Evidence, exit_status, judge
from frbench.left_out import failures, without_left_out
from frbench.listed_pairs import compare_listed
from frbench.opaque.vendor import is_vendor
from frbench.operating_points import operating_points
from frbench.pooling import images_of, pooled
from frbench.progress import Stages
from frbench.rates import error_rates
from frbench.repeated_files import repeated_files
from frbench.results import ArmResult, Moment, Results, report_data, save_run
from frbench.runs import plain
from frbench.runtime import generator
from frbench.settings import Arm, EvaluateConfig, check
from frbench.staging import run_place, staged
from frbench.terminal import print_summary
from frbench.trackers import tell
from frbench.values import EmbeddingSet, FaceSet, ScoreTally


def run(config: EvaluateConfig, stages: Stages) -> Results:
    """The flow, in one direction."""
    with stages("reading the set") as progress:
        whole = assign_groups(config.benchmark.load(progress=progress), config.groups)
    grouped = whole
    if config.explain.by:  # a column that is not there is said now, not after the matcher has run
        strata_of(grouped.faces, config.explain.by)
    if config.embedding.choice == "skip":
        seen = [_templates(grouped, arm, config, stages, ", first look") for arm in config.arms]
        grouped = without_left_out(grouped, seen)
    faces, calibration = split_persons(
        grouped, config.operating_point.calibration_share, generator(config.seed, "calibration")
    )
    arms = tuple(measure(faces, arm, config, stages, calibration) for arm in config.arms or (None,))
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
            training={arm.name: getattr(arm.matcher, "training_data", ()) for arm in config.arms},
            repeated=arms[-1].matcher.get("repeated_files"),
        )
        findings = judge(evidence, config.rules)
    with stages("further tables"):
        tables = extra_tables(arms, faces, config)
    return Results(faces, arms, rates, gaps, change, tuple(findings), tables, read=whole)


def measure(
    faces: FaceSet,
    arm: Arm | None,
    config: EvaluateConfig,
    stages: Stages,
    calibration: FaceSet | None = None,
) -> ArmResult:
    """The five lines in the middle: one matcher on one set, down to its tables.

    Without an arm the comparisons come from the benchmark's own list of scores. Thresholds for
    target rates are chosen on ``calibration``, other persons, where given.
    """
    name = arm.name if arm else ""
    label = f" ({name})" if name else ""
    apart = None
    if calibration is not None:
        apart, _ = _counted(calibration, arm, config, stages, f"{label}, calibration persons")
    tally, matcher = _counted(faces, arm, config, stages, label)
    with stages(f"error rates and intervals{label}"):
        thresholds = operating_points(
            with_statement(config.operating_point, matcher),
            tally,
            arm=name,
            matcher=matcher,
            interval=config.interval,
            rng=generator(config.seed, "thresholds"),
            calibration=apart,
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


def _counted(
    faces: FaceSet, arm: Arm | None, config: EvaluateConfig, stages: Stages, label: str
) -> tuple[ScoreTally, dict[str, Any]]:
    """All comparisons of one set, counted, and the matcher's record."""
    if arm is None:
        return config.benchmark.tally(faces), config.benchmark.matcher_record()
    if is_vendor(arm.matcher):
        around = Surroundings(config.cache, config.embedding.unreadable, stages, label)
        rng = generator(config.seed, "plan")
        return count_black_box(faces, arm.matcher, config.comparison, around, rng)
    vectors = _templates(faces, arm, config, stages, label)
    if faces.pairs is not None:
        with stages(f"comparing the listed pairs{label}"):
            tally = compare_listed(vectors, faces, config.comparison)
        return tally, _matcher_record(arm, vectors, faces)
    with stages(f"comparing all pairs{label}") as progress:
        tally = compare(
            vectors,
            faces.faces,
            config.comparison,
            progress=progress,
            checkpoint=config.cache / "unfinished",
        )
    return tally, _matcher_record(arm, vectors, faces)


def main(cfg: DictConfig) -> int:
    """One job of the command line: run, save, show; gives the exit status."""
    hydra = HydraConfig.get()
    started = datetime.now(UTC)
    partial = Path(hydra.runtime.output_dir)
    final = run_place(str(cfg.output))
    if hydra.mode == RunMode.MULTIRUN:
        final = partial.with_name(job_name(hydra.job.num, hydra.overrides.task))
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
    tell(config.tracking, final, sweep=final.parent if hydra.mode == RunMode.MULTIRUN else None)
    shown = Console(width=None if console.is_terminal else WIDTH)
    # the console leaves so when nobody reads on, as in `| head`; the run is complete by then
    with suppress(SystemExit):
        print_summary(report_data(results, record), final / "report.html", shown)
    return exit_status(results.findings, config.gate)


def _templates(
    faces: FaceSet, arm: Arm, config: EvaluateConfig, stages: Stages, label: str
) -> EmbeddingSet:
    if config.embedding.unreadable == "error" and not hasattr(arm.matcher, "lookup"):
        with stages(f"checking image files{label}"):
            check_images(images_of(faces))
    with stages(f"finding and embedding faces{label}") as progress:
        vectors = embed(
            images_of(faces),
            arm.detector,
            arm.matcher,
            choice=config.embedding.choice,
            batch=config.embedding.batch,
            cache=config.cache,
            unreadable=config.embedding.unreadable,
            workers=None if config.embedding.workers == "auto" else config.embedding.workers,
            device=config.device,
            progress=progress,
        )
    if not vectors.enrolled.any():
        reasons = Counter(str(each) for each in vectors.failure).most_common(1)
        raise InputError(
            f"no image of {faces.name} gave a template; the commonest reason, for "
            f"{reasons[0][1]} of {len(vectors.failure)}: {reasons[0][0]}; try another detector, "
            "e.g. detector=precropped for images that are cropped to the face already."
        )
    return pooled(vectors, faces)


def _matcher_record(arm: Arm, vectors: EmbeddingSet, faces: FaceSet) -> dict[str, Any]:
    record: dict[str, Any] = {"name": arm.matcher.name, "fingerprint": vectors.fingerprint}
    record["failures"] = failures(faces, vectors)
    record["repeated_files"] = repeated_files(faces, vectors)
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
    points = shared_points(before.thresholds, after.thresholds)
    with stages("change from before to after"):
        return paired_change(
            (before.tally, points[0]),
            (after.tally, points[1]),
            rng=generator(config.seed, "change"),
        )
