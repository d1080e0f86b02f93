"""The run's further tables: each a single call to its own module, empty ones left out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from frbench.explaining import standardised
from frbench.extrapolation import extrapolate
from frbench.frontier import frontier
from frbench.label_errors import label_error_bands
from frbench.operating_points import carried_rates
from frbench.results import ArmResult
from frbench.runtime import generator
from frbench.score_shifts import score_shifts
from frbench.settings import EvaluateConfig
from frbench.significance import group_tests
from frbench.values import FaceSet


def extra_tables(
    arms: Sequence[ArmResult], faces: FaceSet, config: EvaluateConfig
) -> dict[str, pd.DataFrame]:
    """File name -> table, over all arms."""
    tables: dict[str, list[pd.DataFrame]] = {}
    for arm in arms:
        found = {
            "failures": _failures(arm),
            "threshold_uncertainty": carried_rates(arm.tally, arm.thresholds, arm.rates),
            "tests": group_tests(
                arm.tally,
                arm.thresholds,
                arm=arm.name,
                level=config.interval.level,
                rng=generator(config.seed, "tests"),
            ),
            "score_shifts": score_shifts(arm.tally, arm=arm.name),
            "frontier": frontier(
                arm.tally,
                arm.thresholds,
                arm=arm.name,
                spec=config.frontier,
                interval=config.interval,
                rng=generator(config.seed, "frontier"),
            ),
            "extrapolation": extrapolate(
                arm.tally,
                arm.thresholds,
                arm=arm.name,
                level=config.interval.level,
                rng=generator(config.seed, "extrapolation"),
            ),
            "label_error_bands": label_error_bands(
                arm.tally,
                arm.thresholds,
                config.explain.label_errors,
                arm=arm.name,
                rng=generator(config.seed, "label errors"),
            ),
        }
        if config.explain.by:
            found["standardised"] = standardised(
                arm.tally,
                faces.faces,
                arm.thresholds,
                config.explain.by,
                arm=arm.name,
                level=config.interval.level,
                rng=generator(config.seed, "standardised"),
            )
        for name, table in found.items():
            if len(table):
                tables.setdefault(name, []).append(table)
    return {name: pd.concat(each, ignore_index=True) for name, each in tables.items()}


def _failures(arm: ArmResult) -> pd.DataFrame:
    """Failures to enrol: a row per arm, group and reason."""
    table = pd.DataFrame(arm.matcher.get("failures", ()), columns=["group", "reason", "images"])
    table.insert(0, "arm", arm.name)
    return table
