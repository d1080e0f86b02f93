"""A run's tables once more, from its stored comparisons."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.black_box import shared_points
from frbench.comparison import ComparisonSpec
from frbench.config import Builder
from frbench.errors import InputError
from frbench.explaining import ExplainSpec
from frbench.extras import extra_tables
from frbench.frontier import FrontierSpec
from frbench.gaps import differentials, paired_change
from frbench.groups import GroupSpec
from frbench.rates import error_rates
from frbench.results import ArmResult
from frbench.run_collection.states import CHANGED, NOT_CHECKED, OK, Check
from frbench.runs import code_revision, csv_text, read_tally
from frbench.runtime import generator
from frbench.settings import EmbeddingSpec, EvaluateConfig, OperatingPoint
from frbench.thresholds import choose_thresholds
from frbench.values import FaceSet, Threshold

TOLERANCE = 1e-9
"""Relative; other processors may add in another order."""


def check_tables(folder: Path, record: Mapping[str, Any]) -> list[Check]:
    """Rates, gaps, change and further tables recomputed; thresholds chosen again; CSV rewritten."""
    try:
        config = settings_of(record)
        arms = [_arm(folder, record, row, config) for row in record["matchers"]]
        tables = recomputed(arms, config)
    except (InputError, KeyError, TypeError, ValueError, OSError) as cause:
        return [Check("tables", CHANGED, f"cannot be recomputed from the comparisons ({cause})")]
    checks = [check for arm in arms for check in _thresholds(arm)]
    paths = [path for path in sorted(folder.glob("*.parquet")) if path.with_suffix(".csv").exists()]
    return checks + [_table(path, tables.get(path.stem), record) for path in paths]


def settings_of(record: Mapping[str, Any]) -> EvaluateConfig:
    """The part of a run's configuration that tables follow from; no matcher and no set is built."""
    config = dict(record["config"])
    builder = Builder()
    explain = {**(config.get("explain") or {}), "by": []}
    built = EvaluateConfig(
        benchmark=None,
        groups=builder.settings(GroupSpec, config["groups"], "groups") or GroupSpec(),
        arms=(),
        comparison=builder.settings(ComparisonSpec, config["comparison"], "comparison")
        or ComparisonSpec(),
        operating_point=OperatingPoint(fixed=(0.0,)),
        embedding=EmbeddingSpec(),
        interval=builder.part(config["interval"], "interval"),
        measures=builder.parts(config["measures"], "measures"),
        rules={},
        device="cpu",
        cache=Path(),
        seed=int(config["seed"]),
        gate="none",
        resolved=config,
        frontier=builder.settings(FrontierSpec, config.get("frontier") or {}, "frontier")
        or FrontierSpec(),
        explain=builder.settings(ExplainSpec, explain, "explain") or ExplainSpec(),
    )
    builder.done()
    return built


def recomputed(arms: Sequence[ArmResult], config: EvaluateConfig) -> dict[str, pd.DataFrame]:
    """Name -> table, as the run would write them now."""
    tables = {
        "rates": pd.concat([arm.rates for arm in arms], ignore_index=True),
        "gaps": pd.concat([arm.gaps for arm in arms], ignore_index=True),
    }
    if len(arms) == 2:
        before, after = arms
        points = shared_points(before.thresholds, after.thresholds)
        tables["change"] = paired_change(
            (before.tally, points[0]),
            (after.tally, points[1]),
            rng=generator(config.seed, "change"),
        )
    return {**tables, **extra_tables(arms, _NOBODY, config)}


_NOBODY = FaceSet("", "", Path(), pd.DataFrame())
"""In the place of the set, which only tables over covariates need."""


def _arm(
    folder: Path, record: Mapping[str, Any], matcher: Mapping[str, Any], config: EvaluateConfig
) -> ArmResult:
    name = str(matcher["arm"])
    known = {each.name for each in fields(Threshold)}
    thresholds = tuple(
        Threshold(**{key: row[key] for key in row if key in known})
        for row in record["thresholds"]
        if row["arm"] == name
    )
    tally = read_tally(folder / "tally" / name)
    rates = error_rates(
        tally,
        thresholds,
        config.interval,
        arm=name,
        matcher=str(matcher["name"]),
        benchmark=str(record["benchmark"]["name"]),
        rng=generator(config.seed, "rates"),
    )
    gaps = differentials(
        tally,
        thresholds,
        rates,
        config.measures,
        config.interval,
        rng=generator(config.seed, "gaps"),
    )
    return ArmResult(name, matcher, tally, thresholds, rates, gaps)


def _thresholds(arm: ArmResult) -> list[Check]:
    """Thresholds that were chosen on the run's own comparisons, chosen again."""
    checks = []
    for each in arm.thresholds:
        if each.source != "this set" or each.target_fmr is None:
            continue
        what = f"threshold {each.label}"
        try:
            (again,) = choose_thresholds(arm.tally, [each.target_fmr], chosen_on=each.chosen_on)
        except InputError as cause:
            checks.append(Check(what, CHANGED, f"cannot be chosen again ({cause})"))
            continue
        same = (again.value, again.errors, again.comparisons) == (
            each.value,
            each.errors,
            each.comparisons,
        )
        words = f"chosen again: {again.value:.6g}; in run.json: {each.value:.6g}"
        checks.append(Check(what, OK if same else CHANGED, words))
    return checks


def _table(path: Path, again: pd.DataFrame | None, record: Mapping[str, Any]) -> Check:
    name = path.stem
    try:
        stored = pd.read_parquet(path)
        text = path.with_suffix(".csv").read_bytes()
    except (OSError, ValueError) as cause:
        return Check(f"table {name}", CHANGED, f"cannot be read ({cause})")
    if csv_text(stored).encode("utf-8") != text:
        return Check(f"table {name}", CHANGED, f"{name}.csv and {name}.parquet differ")
    if again is None:
        return Check(f"table {name}", NOT_CHECKED, "needs the labels of the set to be recomputed")
    fault = _difference(stored, _as_read(again))
    if fault:
        return Check(f"table {name}", CHANGED, fault + _version(record))
    return Check(f"table {name}", OK, f"{len(stored)} rows recomputed from the comparisons")


def _as_read(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the types that it has after the file."""
    file = io.BytesIO()
    table.to_parquet(file, index=False)
    return pd.read_parquet(file)


def _difference(stored: pd.DataFrame, again: pd.DataFrame) -> str:
    """What is not alike, in words, or ""."""
    if list(stored.columns) != list(again.columns) or len(stored) != len(again):
        return f"has {stored.shape} rows and columns, recomputed {again.shape}"
    for column in stored.columns:
        one, other = stored[column], again[column]
        if pd.api.types.is_float_dtype(one) and pd.api.types.is_float_dtype(other):
            same = np.isclose(one, other, rtol=TOLERANCE, atol=0.0, equal_nan=True)
        else:
            same = ((one == other) | (one.isna() & other.isna())).to_numpy(bool)
        if not same.all():
            row = int(np.argmin(same))
            return f"row {row + 1}, {column}: {one.iloc[row]}, recomputed {other.iloc[row]}"
    return ""


def _version(record: Mapping[str, Any]) -> str:
    """A hint where another version of the code may be the reason."""
    then, now = (record.get("code") or {}).get("revision"), code_revision()["revision"]
    if then == now or not then:
        return ""
    return f"; made with revision {str(then)[:10]}, this is {str(now)[:10]}"
